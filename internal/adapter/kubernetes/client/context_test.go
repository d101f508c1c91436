package client_test

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

// TestClient_EndsWithContext: whatever the API server does, a call ends with its
// context.
func TestClient_EndsWithContext(t *testing.T) {
	const timeout, late = 300 * time.Millisecond, 900 * time.Millisecond
	calls := map[string]func(context.Context, *client.Client) error{
		"LogTail": func(ctx context.Context, c *client.Client) error {
			_, err := c.LogTail(ctx, client.Log{Namespace: "ns", Pod: "a", Container: "main"}, 10)
			return err
		},
		"List": func(ctx context.Context, c *client.Client) error {
			_, err := c.List(ctx, client.Pods(), "")
			return err
		},
		"KindOf": func(ctx context.Context, c *client.Client) error {
			_, err := c.KindOf(ctx, schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Thing"})
			return err
		},
		"Watch": func(ctx context.Context, c *client.Client) error {
			_, err := c.Watch(ctx, "", "")
			return err
		},
		"MinorVersion": func(ctx context.Context, c *client.Client) error {
			c.MinorVersion(ctx)
			return context.Cause(ctx)
		},
	}
	for how, serve := range fakeapi.Unresponsive() {
		for name, call := range calls {
			t.Run(name+", server "+how, func(t *testing.T) {
				t.Parallel()
				c := fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http"))
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				start := time.Now()
				err := call(ctx, c)
				if took := time.Since(start); took > late {
					t.Errorf("took %s with a context of %s", took, timeout)
				}
				if err == nil && name != "MinorVersion" {
					t.Error("no error")
				}
			})
		}
	}
}

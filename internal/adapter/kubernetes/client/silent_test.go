package client_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestClient_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c := fakeapi.ClientAt(t, url)
		o := fakeapi.Object(t, "{apiVersion: v1, kind: Service, metadata: {name: api}}")
		return silenttest.Calls{
			"Client.Apply": func(ctx context.Context) error { _, err := c.Apply(ctx, o, client.ApplyOptions{}); return err },
			"Client.ApplyAll": func(ctx context.Context) error {
				return c.ApplyAll(ctx, []*unstructured.Unstructured{o, o}, client.ApplyOptions{})
			},
			"Client.Get": func(ctx context.Context) error { _, err := c.Get(ctx, client.Services(), "", "api"); return err },
			"Client.Delete": func(ctx context.Context) error {
				return silenttest.MaySucceed(c.Delete(ctx, client.Services(), "", "api"))
			},
			"Client.List": func(ctx context.Context) error { _, err := c.List(ctx, client.Pods(), ""); return err },
			"ListOf": func(ctx context.Context) error {
				_, err := client.ListOf[struct{}](ctx, c, client.Pods(), "")
				return err
			},
			"Client.Warnings": func(ctx context.Context) error { _, err := c.Warnings(ctx); return err },
			"Client.LogTail": func(ctx context.Context) error {
				_, err := c.LogTail(ctx, client.Log{Namespace: "ns", Pod: "a", Container: "main"}, 10)
				return err
			},
			"Client.FollowLog": func(ctx context.Context) error {
				body, err := c.FollowLog(ctx, client.Log{Namespace: "ns", Pod: "a", Container: "main"})
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, body) // the header came; reading ends with the context
				_ = body.Close()
				if err != nil {
					err = fmt.Errorf("read the log: %w", err)
				}
				return silenttest.MaySucceed(err)
			},
			"Client.Run": func(ctx context.Context) error {
				return c.Run(ctx, client.Exec{Pod: "a", Container: "main", Command: []string{"true"}})
			},
			"Client.KindOf": func(ctx context.Context) error {
				_, err := c.KindOf(ctx, schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Thing"})
				return err
			},
			"Client.MinorVersion":   func(ctx context.Context) error { c.MinorVersion(ctx); return silenttest.MaySucceed(nil) },
			"Client.Version":        func(ctx context.Context) error { _, err := c.Version(ctx); return err },
			"Client.Groups":         func(ctx context.Context) error { _, err := c.Groups(ctx); return err },
			"Client.Watch":          func(ctx context.Context) error { _, err := c.Watch(ctx, "", ""); return err },
			"Client.WatchEndpoints": func(ctx context.Context) error { _, err := c.WatchEndpoints(ctx, []string{"api"}); return err },
		}
	})
}

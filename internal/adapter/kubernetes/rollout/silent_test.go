package rollout_test

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestRead_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c := fakeapi.ClientAt(t, url)
		return silenttest.Calls{
			"Read":      func(ctx context.Context) error { _, err := rollout.Read(ctx, c, "api", "prod"); return err },
			"ListPods":  func(ctx context.Context) error { _, err := rollout.ListPods(ctx, c, "api"); return err },
			"LastFence": func(ctx context.Context) error { _, err := rollout.LastFence(ctx, c); return err },
		}
	})
}

package history_test

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestHistory_SilentServer(t *testing.T) {
	h := port.History{Service: "api", Environment: "prod", Deployments: []delivery.Deployment{{ID: 1, Environment: "prod", Release: "r-1", State: delivery.Serving}}}
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c, k := fakeapi.ClientAt(t, url), &history.Keyring{Service: "api", Environment: "prod"}
		return silenttest.Calls{
			"Save":   func(ctx context.Context) error { return history.Save(ctx, c, k, h) },
			"Load":   func(ctx context.Context) error { _, err := history.Load(ctx, c, k); return err },
			"Delete": func(ctx context.Context) error { return history.Delete(ctx, c, k) },
			"Anchor": func(ctx context.Context) error { _, err := history.Anchor(ctx, c, "api", "prod"); return err },
			"SetAnchor": func(ctx context.Context) error {
				return history.SetAnchor(ctx, c, "api", "prod", port.LogMark{}, port.Anchor{})
			},
		}
	})
}

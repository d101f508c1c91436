package metrics

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestCollector_SilentServer(t *testing.T) {
	for name, serve := range fakeapi.Unresponsive() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			c := NewCollector(portforward.NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http"))))
			t.Cleanup(c.Close)
			silenttest.Check(t, silenttest.Calls{
				"Collector.Window": func(ctx context.Context) error {
					_, err := c.Window(ctx, "api", []Endpoint{endpoint}, time.Time{})
					return err
				},
			})
		})
	}
}

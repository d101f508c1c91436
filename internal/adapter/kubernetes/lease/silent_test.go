package lease

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestLease_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c := fakeapi.ClientAt(t, url)
		opts := Options{Name: "slipway-api-prod", Holder: "a", Clock: time.Now, LastFence: func(ctx context.Context) (int64, error) { return rollout.LastFence(ctx, c) }}
		held := newLease(c, opts)
		held.expires = time.Now().Add(time.Hour)
		return silenttest.Calls{
			"Acquire":       func(ctx context.Context) error { _, err := Acquire(ctx, c, opts, func(string) {}); return err },
			"Lease.Release": held.Release,
		}
	})
}

package portforward

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestPool_SilentServer(t *testing.T) {
	for name, serve := range fakeapi.Unresponsive() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			pool := NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http")))
			t.Cleanup(pool.Close)
			dial := func(pod string) func(context.Context) error {
				return func(ctx context.Context) error { _, err := pool.Dial(ctx, pod, 8000); return err }
			}
			silenttest.Check(t, silenttest.Calls{"Pool.Dial": dial("a"), "Pool.Dial, again": dial("a"), "Pool.Dial, another pod": dial("b")})
		})
	}
}

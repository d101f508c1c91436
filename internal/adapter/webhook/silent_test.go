package webhook_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/adapter/webhook"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestNotifier_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		n := newNotifier(t, url)
		return silenttest.Calls{
			// A status is all that a receiver has to answer: what follows may be lost.
			"Notifier.Notify": func(ctx context.Context) error { return silenttest.MaySucceed(n.Notify(ctx, port.Message{ID: "1"})) },
		}
	})
}

func TestNotifier_SilentServerThenHealthy(t *testing.T) {
	healthy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer healthy.Close()
	gate := silenttest.NewGate(t, "tcp", healthy.Listener.Addr().String())
	n := newNotifier(t, gate.URL("http"))
	gate.CheckHealthy(t, func(ctx context.Context) error { return n.Notify(ctx, port.Message{ID: "1"}) })
}

func newNotifier(t *testing.T, url string) *webhook.Notifier {
	t.Helper()
	n, err := webhook.New(url, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

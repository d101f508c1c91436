package prometheus_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/prometheus"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestClient_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(_ *testing.T, url string) silenttest.Calls {
		c := prometheus.New("")
		return silenttest.Calls{
			"Client.Query": func(ctx context.Context) error { _, _, err := c.Query(ctx, url, "up"); return err },
		}
	})
}

func TestClient_SilentServerThenHealthy(t *testing.T) {
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}`)
	}))
	defer healthy.Close()
	c, gate := prometheus.New(""), silenttest.NewGate(t, "tcp", healthy.Listener.Addr().String())
	gate.CheckHealthy(t, func(ctx context.Context) error {
		_, _, err := c.Query(ctx, gate.URL("http"), "up")
		return err
	})
}

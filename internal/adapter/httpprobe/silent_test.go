package httpprobe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/httpprobe"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

func probe(ctx context.Context, url string) error {
	_, err := httpprobe.Prober{}.Probe(ctx, port.ProbeRequest{URL: url, Timeout: time.Hour})
	return err
}

func TestProber_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(_ *testing.T, url string) silenttest.Calls {
		return silenttest.Calls{
			"Prober.Probe": func(ctx context.Context) error { return probe(ctx, url) },
		}
	})
}

func TestProber_SilentServerThenHealthy(t *testing.T) {
	healthy := httptest.NewServer(http.NotFoundHandler())
	defer healthy.Close()
	gate := silenttest.NewGate(t, "tcp", healthy.Listener.Addr().String())
	gate.CheckHealthy(t, func(ctx context.Context) error { return probe(ctx, gate.URL("http")) })
}

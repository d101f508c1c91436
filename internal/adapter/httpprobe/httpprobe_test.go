package httpprobe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestProber_Conformance(t *testing.T) {
	porttest.TestProber(t, func(*testing.T) port.Prober { return Prober{} })
}

func TestProbe_ReturnsForwardError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(port.ForwardErrorHeader, "connection refused")
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	_, err := Prober{}.Probe(t.Context(), port.ProbeRequest{URL: server.URL})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error = %v, want %s with the reason", err, fault.Unavailable)
	}
}

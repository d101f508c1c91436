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

// TestProbe_EndlessBody: a body is read to its limit, and said to be longer.
func TestProbe_EndlessBody(t *testing.T) {
	size := maxBody
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
	defer server.Close()
	for _, c := range []struct {
		size      int
		truncated bool
	}{{maxBody, false}, {maxBody + 1, true}, {64 * maxBody, true}} {
		size = c.size
		got, err := Prober{}.Probe(t.Context(), port.ProbeRequest{URL: server.URL})
		if err != nil || len(got.Body) != maxBody || got.Truncated != c.truncated {
			t.Errorf("of %d bytes, %d were kept, truncated = %v, %v", c.size, len(got.Body), got.Truncated, err)
		}
	}
}

package mlflow

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestRegistry_EndlessResponse: a response without end is not read to its end.
func TestRegistry_EndlessResponse(t *testing.T) {
	memorytest.Run(t, 6*maxBody, func() {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			part := make([]byte, 1<<20)
			for range 1 << 10 {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}))
		defer server.Close()
		_, err := open(t, server.URL).Get(t.Context(), group, 1)
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "more than 32 MiB") {
			t.Errorf("error = %v, want %s", err, fault.Exhausted)
		}
	})
}

package client

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// endless responds without end, and counts the requests.
type endless struct{ requests int }

func (e *endless) RoundTrip(req *http.Request) (*http.Response, error) {
	e.requests++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(zeros{}), Request: req}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestRetrier_EndlessResponse: a list without end is not read to its end, and not
// requested again.
func TestRetrier_EndlessResponse(t *testing.T) {
	memorytest.Run(t, 5*maxResponse, func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://cluster/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		server := &endless{}
		resp, err := retrier{server, new(link)}.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "more than 134217728 bytes") || server.requests != 1 {
			t.Errorf("after %d requests: error = %v, want %s after one", server.requests, err, fault.Exhausted)
		}
	})
}

package webhook

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestNotify_EndlessResponse: a receiver that never stops responding holds nobody up.
func TestNotify_EndlessResponse(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 12 {
			n, err := w.Write(make([]byte, 64<<10))
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer server.Close()
	n, err := New(server.URL, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), port.Message{ID: "m-1", JSON: []byte("{}")}); err != nil {
		t.Errorf("error = %v, want the message delivered", err)
	}
	if read := sent.Load(); read > 64<<20 { // what was read, and the buffers of the connection
		t.Errorf("%d bytes were sent", read)
	}
}

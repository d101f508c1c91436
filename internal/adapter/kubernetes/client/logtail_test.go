package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

// TestLogTail_Limits: of an API server that sends more than it was asked for, no more is
// read than the limit, and of a line without end nothing.
func TestLogTail_Limits(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want int // lines
		err  string
	}{
		"endless log":  {strings.Repeat("x", 1023) + "\n", 1 << 10, ""},
		"endless line": {strings.Repeat("x", 1<<10), 0, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/log") {
					http.NotFound(w, r)
					return
				}
				for range 1 << 14 {
					if _, err := w.Write([]byte(c.line)); err != nil {
						return
					}
				}
			}))
			defer server.Close()
			lines, err := fakeapi.ClientAt(t, server.URL).LogTail(t.Context(), client.Log{Namespace: "ns", Pod: "a", Container: "main"}, 10)
			if len(lines) != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%d lines, error = %v, want %d and %q", len(lines), err, c.want, c.err)
			}
		})
	}
}

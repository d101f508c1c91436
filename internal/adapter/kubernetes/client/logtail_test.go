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

// TestLogTail_Removed: the kubelet removes instances of a container that crashes, and says
// so in a response without an error.
func TestLogTail_Removed(t *testing.T) {
	const removed, text = "unable to retrieve container logs for containerd://6731b0852a3c", "no model to load"
	for name, c := range map[string]struct {
		answers map[string][]string // to previous true and not, one after another; "" is an error
		want    string
	}{
		"the other one is there":    {map[string][]string{"true": {removed}, "": {text}}, text},
		"restarted meanwhile":       {map[string][]string{"true": {removed, text}, "": {removed}}, text},
		"the other one never was":   {map[string][]string{"true": {removed, removed}, "": {""}}, ""},
		"another one, and no other": {map[string][]string{"true": {removed, text}, "": {""}}, text},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				previous := r.URL.Query().Get("previous")
				left := c.answers[previous]
				if len(left) == 0 || left[0] == "" {
					http.Error(w, "previous terminated container not found", http.StatusBadRequest)
					return
				}
				c.answers[previous] = left[1:]
				_, _ = w.Write([]byte(left[0] + "\n"))
			}))
			defer server.Close()
			lines, err := fakeapi.ClientAt(t, server.URL).LogTail(t.Context(), client.Log{Namespace: "ns", Pod: "a", Container: "main", Previous: true}, 10)
			if got := strings.Join(lines, "|"); err != nil || got != c.want {
				t.Errorf("lines %q, error = %v, want %q", got, err, c.want)
			}
		})
	}
}

package session

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestGitHubToken_EndlessResponse: a response without end is no token.
func TestGitHubToken_EndlessResponse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write([]byte(`{"value": "a.b.c`)); err == nil; {
			_, err = w.Write(bytes.Repeat([]byte("c"), 1<<16))
		}
	}))
	defer server.Close()
	token := &githubToken{url: server.URL, bearer: "x", client: server.Client()}
	if got, err := token.GetIdentityToken(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%d bytes, error = %v, want %s", len(got), err, fault.Unavailable)
	}
}

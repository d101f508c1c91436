package embedded_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
)

// TestListen_LongHeader: a header beyond the limit is refused.
func TestListen_LongHeader(t *testing.T) {
	r, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := r.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr()+"/v2/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 80<<10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s, want 431", resp.Status)
	}
}

// TestRegistry_LargeManifest: what is pushed as a manifest has a limit, whoever may push.
func TestRegistry_LargeManifest(t *testing.T) {
	r, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	body := append([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"`), bytes.Repeat([]byte(" "), 5<<20)...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/v2/a/manifests/v1", bytes.NewReader(append(body, '}')))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		t.Errorf("%s, want it refused", resp.Status)
	}
}

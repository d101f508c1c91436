package embedded_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/fault"
)

const token = "0123456789abcdef"

// Every way to change something, by who asks and how the registry is served.
func TestListen_Access(t *testing.T) {
	upload := "/v2/a/blobs/uploads/6a3f8f5c-1f0e-4c5b-8a38-5d1a1d0e7a11"
	for _, c := range []struct {
		method, path, password string
		readOnly, writable     int // 0: not refused
	}{
		{http.MethodGet, "/v2/a/manifests/v1", "", 0, 0},
		{http.MethodHead, "/v2/a/blobs/sha256:" + strings.Repeat("0", 64), "", 0, 0},
		{http.MethodGet, "/v2/", "", 0, 401}, // or clients would send no credentials when they push
		{http.MethodGet, "/v2/", token, 0, 0},
		{http.MethodPost, "/v2/a/blobs/uploads/", "", 405, 401},
		{http.MethodPost, "/v2/a/blobs/uploads/", "0123456789abcdeF", 405, 401},
		{http.MethodPost, "/v2/a/blobs/uploads/", token, 405, 0},
		{http.MethodPatch, upload, "", 405, 401},
		{http.MethodPut, "/v2/a/manifests/v1", "", 405, 401},
		{http.MethodPut, "/v2/a/manifests/v1", token, 405, 0},
		{http.MethodDelete, "/v2/a/manifests/v1", "", 405, 401},
		{http.MethodDelete, "/v2/a/manifests/v1", token, 405, 405},
		{http.MethodDelete, "/v2/a/blobs/sha256:" + strings.Repeat("0", 64), token, 405, 405},
		{http.MethodDelete, upload, token, 405, 0},
		{"PROPFIND", "/v2/a", "", 405, 401},
	} {
		for served, want := range map[string]int{"": c.readOnly, token: c.writable} {
			t.Run(fmt.Sprintf("%s %s by %q of %q", c.method, c.path, c.password, served), func(t *testing.T) {
				status := request(t, served, c.method, c.path, c.password)
				if refused := status == 401 || status == 405; refused != (want != 0) || refused && status != want {
					t.Errorf("status = %d, want %d (0: not refused)", status, want)
				}
			})
		}
	}
}

func request(t *testing.T, served, method, path, password string) int {
	t.Helper()
	r, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := r.Listen("127.0.0.1:0", served)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		req.SetBasicAuth("anybody", password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestListen_RefusesShortToken(t *testing.T) {
	r, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if l, err := r.Listen("127.0.0.1:0", "secret"); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("Listen = %v, %v, want invalid, with a hint", l, err)
	}
}

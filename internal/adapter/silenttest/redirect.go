package silenttest

import (
	"net/http"
	"net/url"
	"testing"
)

// Redirect returns a client that sends every request to the server at address,
// whatever host it is for: an SDK with its service's own names can be held up, too.
func Redirect(t *testing.T, address string) *http.Client {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: redirect{u, transport}}
}

type redirect struct {
	to   *url.URL
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = r.to.Scheme, r.to.Host
	return r.base.RoundTrip(req)
}

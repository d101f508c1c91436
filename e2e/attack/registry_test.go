//go:build linux

package attack

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// Test4: another user of the machine, or a replica, replaces the base image of the next
// build in the registry on loopback, or deletes the image of the way back.
func Test4(t *testing.T) {
	l := newService(t)
	l.deploy()
	var status struct{ Image struct{ Digest string } }
	l.json(&status, "status", "--env", "prod")
	for name, how := range map[string][]string{
		"read-only": {"registry", "--listen", "127.0.0.1:0"},
		"writable":  {"registry", "--listen", "127.0.0.1:0", "--writable"},
	} {
		t.Run(name, func(t *testing.T) {
			at := "http://" + l.with("SLIPWAY_REGISTRY_TOKEN=only-the-operator-has-it").serveRegistry(how...)
			for _, request := range []string{
				"POST /v2/library/python/blobs/uploads/",
				"PUT /v2/web/manifests/" + status.Image.Digest,
				"PUT /v2/library/python/manifests/3.11-slim",
				"DELETE /v2/web/manifests/" + status.Image.Digest,
			} {
				method, path, _ := strings.Cut(request, " ")
				if code := l.request(method, at+path); code < 400 || code >= 500 {
					t.Errorf("%s: status %d, want it refused", request, code)
				}
			}
			if code := l.request(http.MethodGet, at+"/v2/web/manifests/"+status.Image.Digest); code != http.StatusOK {
				t.Errorf("pulling the image: status %d, want 200: it is still there, and everybody may read it", code)
			}
		})
	}
}

// serveRegistry starts the command and returns the registry's address.
func (l *lab) serveRegistry(args ...string) string {
	l.t.Helper()
	cmd, output := l.startPiped(args...)
	line, err := bufio.NewReader(output).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "the registry is at ")
	if err != nil || !ok {
		l.t.Fatalf("%v printed %q, %v; want the registry's address", cmd.Args, line, err)
	}
	return address
}

// request returns the status of the response.
func (l *lab) request(method, url string) int {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, url, strings.NewReader("{}"))
	l.must(err)
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	resp, err := http.DefaultClient.Do(req)
	l.must(err)
	resp.Body.Close()
	return resp.StatusCode
}

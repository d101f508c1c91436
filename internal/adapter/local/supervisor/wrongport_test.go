//go:build linux

package supervisor

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

func TestWrongPortError(t *testing.T) {
	listen := func(addresses ...string) (all []container.Listener) {
		for _, a := range addresses {
			all = append(all, container.Listener{Address: netip.MustParseAddrPort(a)})
		}
		return all
	}
	for _, c := range []struct {
		name       string
		err        wrongPortError
		want, hint string
	}{
		{"ready elsewhere", wrongPortError{listens: listen("0.0.0.0:9090", "0.0.0.0:8000"), ready: 8000, expected: 20001}, "the service listens on 8000, but PORT is 20001", "deploy.port: 8000"},
		{"listens elsewhere", wrongPortError{listens: listen("[::]:8000"), expected: 20001}, "the service listens on 8000, but PORT is 20001", "deploy.port: 8000"},
		{"several ports", wrongPortError{listens: listen("127.0.0.1:9090", "0.0.0.0:8000"), expected: 20001}, "the service listens on 8000, 9090, but PORT is 20001", "set deploy.port to the one"},
		{"one port, two addresses", wrongPortError{listens: listen("0.0.0.0:8000", "[::]:8000"), expected: 20001}, "the service listens on 8000, but", "deploy.port: 8000"},
		{"another address", wrongPortError{listens: listen("[::1]:8000"), expected: 8000}, "the service listens on [::1]:8000, but PORT is 8000", "0.0.0.0:8000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); !strings.Contains(got, c.want) {
				t.Errorf("Error = %q, want %q", got, c.want)
			}
			if got := c.err.Hint(); !strings.Contains(got, c.hint) {
				t.Errorf("Hint = %q, want %q in it", got, c.hint)
			}
		})
	}
}

// TestIsMetrics: a Prometheus client responds to every path, also to the readiness
// path.
func TestIsMetrics(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/plain; version=0.0.4; charset=utf-8":                   true,
		"application/openmetrics-text; version=1.0.0; charset=utf-8": true,
		"text/plain; charset=utf-8":                                  false,
		"application/json":                                           false,
		"":                                                           false,
	} {
		if got := isMetrics(contentType); got != want {
			t.Errorf("isMetrics(%q) = %v, want %v", contentType, got, want)
		}
	}
}

func TestReadOnlyHint(t *testing.T) {
	for line, want := range map[string]bool{
		"OSError: [Errno 30] Read-only file system: '/app/cache'":  true,
		"Error: EROFS: read-only file system, mkdir '/app/.cache'": true,
		"PermissionError: [Errno 13] Permission denied":            false,
	} {
		if got := readOnlyHint([]string{"starting", line, "bye"}); (got != "") != want {
			t.Errorf("readOnlyHint(%q) = %q, want one: %v", line, got, want)
		}
	}
}

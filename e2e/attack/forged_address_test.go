//go:build linux

package attack

import (
	"strings"
	"testing"
)

// TestForgedAddress: many services take an underscore in a header's name for a hyphen, as
// WSGI does, so that a user could give any address as the one the request is from.
func TestForgedAddress(t *testing.T) {
	l := newService(t)
	url := l.deploy()
	for _, name := range []string{"X_Forwarded_For", "X-Forwarded_For", "x_forwarded_proto", "X_FORWARDED_HOST"} {
		for _, more := range []string{"", "TE: trailers\r\n"} { // the second takes the other path
			got := l.raw(url, "GET /request HTTP/1.1\r\n"+name+": 6.6.6.6\r\n"+more)
			if !strings.Contains(got, "answered by the service") || strings.Contains(got, "6.6.6.6") {
				t.Errorf("%s reached the service\n%s", name, got)
			}
		}
	}
}

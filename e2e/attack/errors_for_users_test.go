//go:build linux

package attack

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestErrorsForUsers: where a replica broke off, its user was told the release's name and
// the addresses of replicas.
func TestErrorsForUsers(t *testing.T) {
	l := newService(t)
	url := l.deploy()
	got := l.raw(url, "GET /abort HTTP/1.1\r\n")
	if !strings.Contains(got, " 502 ") || strings.Contains(got, "127.0.0.1") || strings.Contains(got, "r-") {
		t.Errorf("the user was told\n%s", got)
	}
	_, id, ok := strings.Cut(got, "(request ")
	if id, _, _ = strings.Cut(id, ")"); !ok || !strings.Contains(l.read(filepath.Join(l.state, "local", "supervisor.log")), "request "+id+": GET \"/abort\": release \"r-") {
		t.Errorf("the log lacks request %q\n%s", id, got)
	}
}

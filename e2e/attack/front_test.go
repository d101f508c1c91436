//go:build linux

package attack

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// raw sends what an HTTP client would not, and returns what comes back.
func (l *lab) raw(url, head string) string {
	l.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(url, "/"), "http://"))
	l.must(err)
	defer conn.Close()
	l.must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
	_, err = io.WriteString(conn, head+"Host: x\r\nConnection: close\r\n\r\n")
	l.must(err)
	text, _ := io.ReadAll(conn) // the rest after a deadline is what there is
	return string(text)
}

// TestTunnels: a user asked a replica through the front proxy to speak another protocol.
// What came in that was neither counted by the watch nor rewritten.
func TestTunnels(t *testing.T) {
	l := newService(t)
	url := l.deploy()
	for _, head := range []string{
		"GET /request HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
		"PRI /request HTTP/1.1\r\n", "CONNECT /request HTTP/1.1\r\n",
	} {
		got := l.raw(url, head)
		if strings.Contains(got, "h2c") || strings.Contains(got, "Http2-Settings") || strings.Contains(got, "PRI map") || strings.Contains(got, "CONNECT map") {
			t.Errorf("the replica was asked for a tunnel by %q\n%s", head, got)
		}
	}
}

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

// TestHiddenFromWatch: users took their requests out of the watch with the header of
// Slipway's probes. A release that fails for them was accepted.
func TestHiddenFromWatch(t *testing.T) {
	l := newService(t)
	url := l.deploy()
	l.edit("slipway.yaml", "deploy: {replicas: 1,", "deploy: {replicas: 1, watch: {error_rate: 0.05},")
	l.edit("slipway.yaml", "target: {local: {}}", "target: {local: {}}, bake: 2s")
	l.edit("main.go", `"answered by the service")`, `"answered by another version")`)
	l.commit("another version")
	run, _ := l.startPiped("run", "--env", "prod")
	ended := make(chan struct{})
	go func() { defer close(ended); _ = run.Wait() }()
	for !l.eventually(time.Millisecond, func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}) {
		for range 20 {
			_ = l.raw(url, "GET /fail HTTP/1.1\r\nSlipway-Probe: 1\r\n")
		}
	}
	if code := exitCode(run.ProcessState); code != 3 {
		t.Errorf("the run ended with %d, want 3: every request failed, so the release has to be taken back", code)
	}
}

//go:build linux

package attack

import (
	"io"
	"net"
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

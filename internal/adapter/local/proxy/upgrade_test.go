package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// TestProxy_Upgrades: only what stays visible is passed on; the rest of the request is.
func TestProxy_Upgrades(t *testing.T) {
	_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Upgrade")+"|"+r.Header.Get("Http2-Settings"))
	})
	r := startPlain(t, proxy.Config{})
	r.Switch(newPool(a, at))
	for _, c := range []struct{ name, head, want string }{
		{"WebSocket", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "200 GET websocket|"},
		{"h2c", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "200 GET |"},
		{"h2c in a list", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket, H2C\r\n", "200 GET |"},
		{"h2c in a second line", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", "200 GET websocket|"},
		{"TLS", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n", "200 GET |"},
		{"HTTP/2.0", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", "200 GET |"},
		{"CONNECT", "CONNECT example.com:443 HTTP/1.1\r\n", "405 slipway: method not allowed"},
		{"CONNECT of a path", "CONNECT / HTTP/1.1\r\n", "405 slipway: method not allowed"},
		{"PRI", "PRI / HTTP/1.1\r\n", "405 slipway: method not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.head+"Host: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Status[:3] + " " + strings.TrimSpace(string(body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

//go:build linux

package supervisor

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
)

// replicaSockets stands for a container that holds these sockets.
type replicaSockets map[string]bool

func (r replicaSockets) Sockets() (held map[string]bool, complete bool) { return r, true }

func (replicaSockets) Dial(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func listenOn(t *testing.T, address string) (listener net.Listener, port int) {
	t.Helper()
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).Port
}

// A connection counts only if the container has the sockets that listen: the ones it
// had first, or new ones.
func TestPortGuard(t *testing.T) {
	listener, port := listenOn(t, "127.0.0.1:0")
	held := replicaSockets{}
	for socket := range listeners("/proc", port) {
		held[socket] = true
	}
	g := &portGuard{container: held, port: port}
	g.learn()
	wantDial(t, "its own socket", g, true)

	listener.Close()
	listenOn(t, "127.0.0.1:"+strconv.Itoa(port)) // a stranger's, for all that the container holds
	wantDial(t, "another process's socket", g, false)

	for socket := range listeners("/proc", port) {
		held[socket] = true
	}
	wantDial(t, "a new socket of its own", g, true)
}

func wantDial(t *testing.T, whose string, g *portGuard, ok bool) {
	t.Helper()
	conn, err := g.dial(t.Context())
	if err == nil {
		conn.Close()
	}
	var taken *portTakenError
	if (err == nil) != ok || err != nil && !errors.As(err, &taken) {
		t.Errorf("%s: dial = %v, want it to succeed: %v", whose, err, ok)
	}
}

func BenchmarkPortGuard(b *testing.B) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	g := &portGuard{container: replicaSockets{}, port: listener.Addr().(*net.TCPAddr).Port}
	g.learn()
	for b.Loop() {
		if by := g.stranger(); by != "" {
			b.Fatal(by)
		}
	}
}

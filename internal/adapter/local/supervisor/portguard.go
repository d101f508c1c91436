//go:build linux

package supervisor

import (
	"context"
	"net"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// portGuard connects to the port of a replica in the host's network. Any user of the
// machine can listen on it while the replica does not: before it begins to, or when it
// stops for a moment. So a connection counts only if the sockets that listen there are
// those of the container.
//
// That they are looked at after the connection was made is enough: a socket that has
// been seen before has listened all the time since, and the kernel gives a port to
// sockets of one user only.
type portGuard struct {
	container interface {
		socketHolder
		Dial(ctx context.Context, port int) (net.Conn, error)
	}
	port int

	mu    sync.Mutex
	known map[string]bool // sockets of the container; empty: the kernel shows none
}

// learn takes the sockets that listen now for the container's. Call it when no
// stranger was found among them.
func (g *portGuard) learn() {
	open := listeners("/proc", g.port)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = open
}

// dial connects to the replica, or returns a portTakenError.
func (g *portGuard) dial(ctx context.Context) (net.Conn, error) {
	conn, err := g.container.Dial(ctx, g.port)
	if err != nil {
		return nil, err
	}
	if by := g.stranger(); by != "" {
		conn.Close()
		return nil, &portTakenError{g.port, by}
	}
	return conn, nil
}

// stranger describes who listens on the port in the replica's place, or returns "". A
// service may open new sockets: they are looked for among the container's, which takes
// longer.
func (g *portGuard) stranger() string {
	now, err := container.ListenerOn(g.port)
	if err == nil && now == "" && g.learned() {
		return "a process that has stopped to listen"
	}
	if err == nil && g.knows(now) {
		return ""
	}
	if by := strangerOn("/proc", g.port, g.container); by != "" {
		return by
	}
	g.learn()
	return ""
}

// learned is false before the replica is ready, and where the kernel shows no sockets.
func (g *portGuard) learned() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.known) > 0
}

func (g *portGuard) knows(socket string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.known) == 0 || g.known[socket]
}

package silenttest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Gate is a server in front of a healthy one. While it is shut, nothing that comes on
// its connections is answered; connections made then stay so.
type Gate struct {
	*Server
	shut atomic.Pointer[Serve] // what connections get; nil: the gate is open
}

// NewGate starts a gate in front of the server at an address. It is shut and silent.
func NewGate(t testing.TB, network, address string) *Gate {
	t.Helper()
	g := &Gate{}
	g.Shut(Raw()["is silent"])
	serve := func(c net.Conn) {
		if serve := g.shut.Load(); serve != nil {
			(*serve)(c)
			return
		}
		defer c.Close()
		healthy, err := net.Dial(network, address)
		if err != nil {
			return
		}
		defer healthy.Close()
		go func() { g.forward(healthy, c); healthy.Close() }()
		g.forward(c, healthy)
	}
	if network == "unix" {
		g.Server = ListenUnix(t, serve)
	} else {
		g.Server = Listen(t, serve)
	}
	return g
}

// Open lets connections through to the healthy server from now on.
func (g *Gate) Open() { g.shut.Store(nil) }

// Shut makes new connections get serve, and silences those that have been let through.
func (g *Gate) Shut(serve Serve) { g.shut.Store(&serve) }

// forward copies until an end, and drops what comes while the gate is shut.
func (g *Gate) forward(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if g.shut.Load() == nil && n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// CheckHealthy makes a call that the server does not answer, opens the gate, and makes
// the call again: it must succeed without waiting for the first.
func (g *Gate) CheckHealthy(t *testing.T, call func(ctx context.Context) error) {
	t.Helper()
	holding, release := context.WithCancelCause(context.Background())
	defer release(ErrEnded)
	first := make(chan error, 1)
	go func() { first <- call(holding) }()
	select {
	case <-g.accepted:
	case <-time.After(bound):
		t.Fatal("the call has not reached the server")
	}
	g.Open()
	ctx, cancel := context.WithTimeoutCause(context.Background(), bound, ErrEnded)
	defer cancel()
	second := make(chan error, 1)
	go func() { second <- call(ctx) }()
	select {
	case err := <-second:
		if err != nil {
			t.Errorf("a call that the server answers waited for one that it does not, or failed: %v", err)
		}
	case <-time.After(2 * bound):
		t.Error("a call that the server answers has not returned, nor when its context ended")
	}
	release(ErrEnded)
	select {
	case err := <-first:
		t.Logf("the call without an answer has returned %v", err) // it may have succeeded in another attempt
	case <-time.After(bound):
		t.Errorf("the call without an answer has not returned %s after the end of its context", bound)
	}
}

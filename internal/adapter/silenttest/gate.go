package silenttest

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Gate is a server that is silent until it is opened. Connections after that lead to a
// healthy server; those before stay without an answer.
type Gate struct {
	*Server
	open atomic.Bool
}

// NewGate starts a gate in front of the server at an address.
func NewGate(t testing.TB, network, address string) *Gate {
	t.Helper()
	g := &Gate{}
	serve := func(c net.Conn) {
		if !g.open.Load() {
			return
		}
		defer c.Close()
		healthy, err := net.Dial(network, address)
		if err != nil {
			return
		}
		defer healthy.Close()
		go func() { _, _ = io.Copy(healthy, c); healthy.Close() }()
		_, _ = io.Copy(c, healthy)
	}
	if network == "unix" {
		g.Server = ListenUnix(t, serve)
	} else {
		g.Server = Listen(t, serve)
	}
	return g
}

// CheckHealthy makes a call that the server does not answer, and the same call again,
// which a healthy server answers: it must not wait for the first.
func (g *Gate) CheckHealthy(t *testing.T, call func(ctx context.Context) error) {
	t.Helper()
	holding, release := context.WithCancelCause(context.Background())
	defer release(Cause)
	first := make(chan error, 1)
	go func() { first <- call(holding) }()
	select {
	case <-g.accepted:
	case <-time.After(bound):
		t.Fatal("the call has not reached the server")
	}
	g.open.Store(true)
	ctx, cancel := context.WithTimeoutCause(context.Background(), bound, Cause)
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
	release(Cause)
	select {
	case <-first: // it may have succeeded in another attempt
	case <-time.After(bound):
		t.Errorf("the call without an answer has not returned %s after the end of its context", bound)
	}
}

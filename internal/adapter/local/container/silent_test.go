//go:build linux

package container

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

// TestContainer_SilentNetwork: a process in the network that does not give sockets, as
// one that is stopped.
func TestContainer_SilentNetwork(t *testing.T) {
	n, theirs, err := newNetwork()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	defer n.Close()
	b := &Container{network: n}
	dial := func(ctx context.Context) error {
		c, err := b.Dial(ctx, 8000)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	silenttest.Check(t, silenttest.Calls{"Container.Dial": dial, "Container.Dial, another": dial, "Container.Dial, a third": dial})
	// All left at once: none had to wait for the limit of one before it.
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, silenttest.ErrEnded)
	defer cancel()
	if err := dial(ctx); !errors.Is(err, silenttest.ErrEnded) {
		t.Errorf("error = %v, want that of the context", err)
	}
	// A caller after those who gave up gets its answer, not theirs.
	process, err := net.FileConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	go refuseSockets(process)
	if err := dial(t.Context()); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the refusal of the process", err)
	}
}

// refuseSockets answers every request with an error number.
func refuseSockets(process net.Conn) {
	number := make([]byte, 1)
	for {
		if _, err := io.ReadFull(process, number); err != nil {
			return
		}
		if _, err := process.Write([]byte{number[0], 13}); err != nil {
			return
		}
	}
}

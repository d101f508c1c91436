package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// node is a cluster of ours: one machine with everything on it.
type node struct {
	record
	binary string
	out    io.Writer
	file   *os.File // the lock, with the record in it
	room   *room
	asks   *client

	mu    sync.Mutex // guards what follows
	parts map[string]*part

	once    sync.Once
	stopped error
}

func (n *node) path(elem ...string) string {
	return filepath.Join(append([]string{n.Dir}, elem...)...)
}

// launch starts a component.
func (n *node) launch(name, program string, args ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.parts[name]; p != nil && p.running() {
		return nil
	}
	select {
	case <-n.room.ended:
		return fmt.Errorf("start %s: the cluster has stopped: %w", name, os.ErrClosed)
	default:
	}
	p, err := startPart(name, n.path("logs", name+".log"), n.room.inside(program, args...))
	if err == nil {
		n.parts[name] = p
	}
	return err
}

// wait asks until the answer is yes. It gives up when a component has ended.
func (n *node) wait(ctx context.Context, what string, ask func(context.Context) bool) error {
	for !ask(ctx) {
		if name := n.fallen(); name != "" {
			return fmt.Errorf("wait for %s: %s has ended", what, name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-time.After(poll):
		}
	}
	return nil
}

// fallen names a component that has ended, if any.
func (n *node) fallen() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, p := range n.parts {
		if !p.running() {
			return name
		}
	}
	return ""
}

func (n *node) command(name string, args ...string) *exec.Cmd { return n.room.beside(name, args...) }

func (n *node) stopAPIServer() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parts["kube-apiserver"].kill()
	return nil
}

func (n *node) startAPIServer(ctx context.Context) error {
	if err := n.launch("kube-apiserver", n.binary, apiServerArgs(n.Dir)...); err != nil {
		return err
	}
	return n.wait(ctx, "the apiserver", func(ctx context.Context) bool { return n.asks.ok(ctx, "/readyz") })
}

func (n *node) logs() string { return tails(n.path("logs"), 20) }

// stop works for a half started node too.
func (n *node) stop() error {
	n.once.Do(func() {
		if n.asks != nil {
			n.asks.close()
		}
		if n.room != nil {
			n.room.end()
		}
		n.mu.Lock()
		for _, p := range n.parts {
			<-p.ended
		}
		n.mu.Unlock()
		err := n.putBack()
		if err == nil {
			err = n.file.Truncate(0) // else the next one tries again
		}
		if n.stopped = errors.Join(err, n.file.Close()); n.stopped != nil {
			n.stopped = fmt.Errorf("stop the cluster: %w", n.stopped)
		}
	})
	return n.stopped
}

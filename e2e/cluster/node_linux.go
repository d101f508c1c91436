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

// node is a cluster started by Start: everything on one machine.
type node struct {
	leftovers
	binary     string // etcd, kubectl and the metrics server
	kubernetes string // the components of the version that runs; the same by default
	log        io.Writer
	lock       *os.File // the lock file, which contains the record
	ns         *netns
	api        *client

	mu         sync.Mutex // guards components
	components map[string]*component

	stopOnce sync.Once
	stopErr  error
}

func (n *node) path(elem ...string) string {
	return filepath.Join(append([]string{n.Dir}, elem...)...)
}

// startComponent starts a component unless it is running.
func (n *node) startComponent(name, program string, args ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.components[name]; p != nil && p.isRunning() {
		return nil
	}
	select {
	case <-n.ns.exited:
		return fmt.Errorf("start %s: the cluster has stopped: %w", name, os.ErrClosed)
	default:
	}
	p, err := startComponent(name, n.path("logs", name+".log"), n.ns.command(program, args...))
	if err == nil {
		n.components[name] = p
	}
	return err
}

// waitFor polls until ready returns true. It fails if a component exits.
func (n *node) waitFor(ctx context.Context, what string, ready func(context.Context) bool) error {
	for !ready(ctx) {
		if name := n.exitedComponent(); name != "" {
			return fmt.Errorf("wait for %s: %s has ended", what, name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// exitedComponent returns the name of a component that has exited, or "".
func (n *node) exitedComponent() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, p := range n.components {
		if !p.isRunning() {
			return name
		}
	}
	return ""
}

func (n *node) command(name string, args ...string) *exec.Cmd { return n.ns.hostCommand(name, args...) }

func (n *node) stopAPIServer() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.components["kube-apiserver"].kill()
	return nil
}

func (n *node) startAPIServer(ctx context.Context) error {
	if err := n.startComponent("kube-apiserver", n.kubernetes, apiServerArgs(n.Dir)...); err != nil {
		return err
	}
	return n.waitFor(ctx, "the apiserver", func(ctx context.Context) bool { return n.api.ok(ctx, "/readyz") })
}

func (n *node) kubectlDir() string { return n.path("bin") }

func (n *node) logs() string { return logTails(n.path("logs"), 20) }

// stop also works for a partially started node.
func (n *node) stop() error {
	n.stopOnce.Do(func() {
		if n.api != nil {
			n.api.close()
		}
		if n.ns != nil {
			n.ns.close()
		}
		n.mu.Lock()
		for _, p := range n.components {
			<-p.exited
		}
		n.mu.Unlock()
		err := n.restore()
		if err == nil {
			err = n.lock.Truncate(0) // otherwise the next cluster retries
		}
		if n.stopErr = errors.Join(err, n.lock.Close()); n.stopErr != nil {
			n.stopErr = fmt.Errorf("stop the cluster: %w", n.stopErr)
		}
	})
	return n.stopErr
}

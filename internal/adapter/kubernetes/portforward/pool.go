// Package portforward connects to ports of pods through the API server, and opens
// local addresses that lead to pods. The connections themselves are made by
// client-go (docs/decisions/0015-port-forwards-over-client-go.md).
package portforward

import (
	"context"
	"fmt"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Pool dials pods. It keeps one tunnel for each pod, which many connections share.
// Safe for concurrent use.
type Pool struct {
	client *client.Client

	mu      sync.Mutex // guards the map only: it is never held during a request
	tunnels map[string]*tunnel
}

// NewPool returns a pool for the client's namespace.
func NewPool(c *client.Client) *Pool { return &Pool{client: c, tunnels: map[string]*tunnel{}} }

// Close ends all connections. It does not wait.
func (p *Pool) Close() {
	p.mu.Lock()
	tunnels := p.tunnels
	p.tunnels = map[string]*tunnel{}
	p.mu.Unlock()
	for _, t := range tunnels {
		t.close()
	}
}

// Dial connects to a port of a pod. Tunnels that fail are replaced until ctx ends, or
// until the API server refuses for good.
func (p *Pool) Dial(ctx context.Context, pod string, port int) (*Conn, error) {
	for pause := client.MinPause; ; pause = min(2*pause, client.MaxPause) {
		c, err := p.dialOnce(ctx, pod, port)
		if err == nil || p.isFinal(err) || wait.Sleep(ctx, pause) != nil {
			return c, err
		}
	}
}

// isFinal reports whether dialing again would fail in the same way.
func (p *Pool) isFinal(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound:
		return true
	case fault.Denied:
		return !p.client.IsWarmingUp()
	}
	return false
}

// dialOnce opens a connection on the pod's tunnel. Whether the tunnel works is decided
// by its own deadline, not by ctx: one impatient caller does not end it for the others.
func (p *Pool) dialOnce(ctx context.Context, pod string, port int) (*Conn, error) {
	t := p.tunnelTo(pod)
	select {
	case <-t.connected:
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to pod %s: %w", pod, context.Cause(ctx))
	}
	c, err := withContext(ctx, func() (*Conn, error) {
		c, err := t.open(port)
		if err != nil {
			p.drop(pod, t)
		}
		return c, err
	}, (*Conn).reset)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("connect to port %d of pod %s: %w", port, pod, context.Cause(ctx))
	}
	return c, err
}

func (p *Pool) tunnelTo(pod string) *tunnel {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tunnels[pod]
	if !ok {
		t = newTunnel(p.client, pod)
		t.onRefusal = func() { p.remove(pod, t); t.retire() }
		p.tunnels[pod] = t
	}
	return t
}

// drop removes and closes a tunnel that failed.
func (p *Pool) drop(pod string, failed *tunnel) {
	p.remove(pod, failed)
	failed.close()
}

// remove takes a tunnel out of use, unless another has taken its place. Kubelets end a
// whole tunnel some time after a pod has refused a connection, and do not respond on it
// until then.
func (p *Pool) remove(pod string, t *tunnel) {
	p.mu.Lock()
	if p.tunnels[pod] == t {
		delete(p.tunnels, pod)
	}
	p.mu.Unlock()
}

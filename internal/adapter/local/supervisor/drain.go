//go:build linux

package supervisor

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// drainGroup stops a group in the background, once its requests are finished or
// the drain timeout has passed.
func (e *environment) drainGroup(g *group, servers map[int]*proxy.Server) {
	ended := make(chan struct{})
	e.mu.Lock()
	e.draining[g] = ended
	e.mu.Unlock()
	go func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout(e.cfg, g))
		defer cancel()
		if err := g.pool.Drained(ctx); err != nil {
			e.cfg.Log.Printf("%s: %d requests were cut off after %s", g.request, g.pool.InFlight(), drainTimeout(e.cfg, g))
		}
		for _, s := range servers {
			s.Close(ctx)
		}
		g.stop()
		e.mu.Lock()
		delete(e.draining, g)
		e.mu.Unlock()
	}()
}

func drainTimeout(cfg *Config, g *group) time.Duration {
	if d := g.request.Spec.Workload.Drain.D(); d > 0 {
		return d
	}
	return cfg.DrainTimeout
}

// waitDrained waits until all replaced groups have stopped.
func (e *environment) waitDrained(ctx context.Context) error {
	for {
		e.mu.Lock()
		var next chan struct{}
		for _, ended := range e.draining {
			next = ended
		}
		e.mu.Unlock()
		if next == nil {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// avoid makes requests go to other replicas. It reports false if there are none: then
// requests wait for this one, which may only be busy.
func (g *group) avoid(e endpoint) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if addresses, _ := g.pool.Addresses(); len(addresses) < 2 {
		return false
	}
	g.pool.Remove(e.address)
	return true
}

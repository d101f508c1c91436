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

// remove stops everything and deletes the environment.
func (e *environment) remove(ctx context.Context) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	if err := e.store.remove(e.key); err != nil {
		return err
	}
	e.shutdown()
	return nil
}

// shutdown stops everything and keeps the saved state: first the listeners, then
// in-flight requests, then the replicas.
func (e *environment) shutdown() {
	e.closeCandidate()
	e.mu.Lock()
	servers, groups := e.servers, []*group{e.promoted, e.staged}
	e.servers, e.promoted, e.staged = map[int]*proxy.Server{}, nil, nil
	e.mu.Unlock()
	limit := time.Duration(0)
	for _, g := range groups {
		if g != nil {
			g.setDraining()
			limit = max(limit, drainTimeout(e.cfg, g))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, s := range servers {
		s.Close(ctx)
	}
	e.proxy.Switch(nil)
	for _, g := range groups {
		if g != nil {
			e.drainGroup(g, nil)
		}
	}
	_ = e.waitDrained(context.WithoutCancel(ctx)) // it cannot fail: the context does not end
}

//go:build linux

package supervisor

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

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

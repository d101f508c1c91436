//go:build linux

package supervisor

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/port"
)

// drift returns how the promoted release differs from the requested one; none if another
// one is promoted or staged.
func (e *environment) drift(o ReleaseRequest) []port.Drift {
	saved, _ := e.store.get(e.key)
	e.mu.Lock()
	g := e.promoted
	e.mu.Unlock()
	if saved.Staged != nil || g == nil || g.request.Release != o.Release {
		return nil
	}
	return g.differences(o)
}

// differences returns how the group differs from a release: its folders, and replicas
// that are missing. One that has exited is none of them: it is started again.
func (g *group) differences(o ReleaseRequest) []port.Drift {
	var out []port.Drift
	for _, c := range g.contents {
		out = append(out, c.differences()...)
	}
	for i := len(g.replicas); i < o.Spec.Workload.Replicas; i++ {
		out = append(out, port.Drift{Kind: replicaDrift, Name: replicaName(o, i), Missing: true})
	}
	return out
}

// replacePromoted starts the promoted release once more beside itself, gives the traffic
// to the new replicas once all are ready, and stops the others.
func (e *environment) replacePromoted(ctx context.Context, o ReleaseRequest, saved EnvironmentState, say func(string)) error {
	g, err := newGroup(e.cfg, o)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.staged = g // in memory only: after a crash there is nothing to replace
	e.mu.Unlock()
	if err := g.waitReady(ctx, true, say); err != nil {
		return e.discardAfter(ctx, saved, err)
	}
	saved.Promoted = &ReleaseSpec{Release: o.Release, Spec: o.Spec}
	if err := e.store.put(e.key, saved); err != nil {
		return e.discardAfter(ctx, saved, err)
	}
	e.mu.Lock()
	old := e.promoted
	e.promoted, e.staged = g, nil
	e.proxy.Switch(g.pool)
	e.mu.Unlock()
	say(fmt.Sprintf("new replicas of %s receive the traffic", o.Release))
	old.setDraining()
	e.drainGroup(old, nil)
	return nil
}

package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Lock takes the environment for the request's run.
func (t *Target) Lock(ctx context.Context, o port.DeployRequest, report func(string)) error {
	c, err := t.client(ctx)
	if err != nil {
		return err
	}
	if err := t.createNamespace(ctx, c, o); err != nil {
		return err
	}
	_, err = t.acquire(ctx, c, o, report)
	return err
}

// Unlock frees the environment.
func (t *Target) Unlock(ctx context.Context, o port.DeployRequest) error { return t.release(ctx, o) }

// createNamespace applies the release's Namespace if it is the one that everything,
// the lease included, is in. Who may not read namespaces has one.
func (t *Target) createNamespace(ctx context.Context, c *client.Client, o port.DeployRequest) error {
	if o.Release.Objects == "" {
		return nil
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return err
	}
	for _, obj := range set.Others {
		if obj.GetKind() != "Namespace" || obj.GetName() != c.Namespace() {
			continue
		}
		if _, err := c.Apply(ctx, obj, client.ApplyOptions{Force: t.section.TakeOver}); err != nil && !fault.Is(err, fault.Denied) {
			return err
		}
	}
	return nil
}

// acquire returns the environment's lease for the request's run. It waits while
// another run holds it.
func (t *Target) acquire(ctx context.Context, c *client.Client, o port.DeployRequest, report func(string)) (*lease.Lease, error) {
	name := labels.ObjectName(o.Service, o.Environment)
	t.mu.Lock()
	held, ok := t.leases[name]
	t.mu.Unlock()
	if ok && held.Holder() == holderOf(o) && held.Check() == nil {
		return held, nil
	}
	if ok { // an earlier run of this process: its lease need not expire first
		held.Forfeit("run " + holderOf(o) + " has started")
		if err := held.Release(ctx); err != nil {
			return nil, err
		}
	}
	l, err := lease.Acquire(ctx, c, lease.Options{
		Name: name, Holder: holderOf(o), Host: t.cfg.Host, Timing: t.cfg.Lease, Clock: t.cfg.Clock,
		LastFence: func(ctx context.Context) (int64, error) { return rollout.LastFence(ctx, c) },
	}, report)
	if err != nil {
		return nil, err
	}
	c.ForgetLists() // its last holder has changed things
	t.mu.Lock()
	t.leases[name] = l
	t.mu.Unlock()
	return l, nil
}

// holderOf returns the run: after kill -9 the same run gets its lease back at once.
func holderOf(o port.DeployRequest) string {
	if o.Run == "" {
		return "unknown"
	}
	return string(o.Run)
}

// release frees the environment's lease if this process holds it.
func (t *Target) release(ctx context.Context, o port.DeployRequest) error {
	name := labels.ObjectName(o.Service, o.Environment)
	t.closeWatch(name)
	t.mu.Lock()
	l, ok := t.leases[name]
	delete(t.leases, name)
	t.mu.Unlock()
	if !ok {
		return nil
	}
	return l.Release(ctx)
}

package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Lock takes the environment for the order's run.
func (t *Target) Lock(ctx context.Context, o port.DeployRequest, say func(string)) error {
	c, err := t.connected()
	if err != nil {
		return err
	}
	if err := t.makeNamespace(ctx, c, o); err != nil {
		return err
	}
	_, err = t.hold(ctx, c, o, say)
	return err
}

// makeNamespace applies the release's own Namespace when that is the one that
// everything, also the lock, is to be in. Who may not look at namespaces has one.
func (t *Target) makeNamespace(ctx context.Context, c *cluster, o port.DeployRequest) error {
	if o.Release.Objects == "" {
		return nil
	}
	b, err := t.bundle(ctx, c, o)
	if err != nil {
		return err
	}
	for _, obj := range b.rest {
		if obj.GetKind() != "Namespace" || obj.GetName() != c.namespace {
			continue
		}
		if _, err := c.apply(ctx, obj, manner{force: t.place.TakeOver}); err != nil && !fault.Is(err, fault.Denied) {
			return err
		}
	}
	return nil
}

// hold takes the environment's lock for the order's run, or waits for it.
func (t *Target) hold(ctx context.Context, c *cluster, o port.DeployRequest, say func(string)) (*lock, error) {
	name := recordName(o.Service, o.Environment)
	t.mu.Lock()
	held, ok := t.locks[name]
	t.mu.Unlock()
	if ok && held.holder == holder(o) && held.check() == nil {
		return held, nil
	}
	if ok { // an earlier run of this process: nobody need wait until its time is over
		held.lose("run " + holder(o) + " has begun")
		if err := held.free(ctx); err != nil {
			return nil, err
		}
	}
	l := &lock{times: t.cfg.Lease, api: c, name: name, holder: holder(o), host: t.cfg.Host, clock: t.cfg.Clock}
	if err := l.take(ctx, say); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	l.stop, l.ended = stop, make(chan struct{})
	go l.keep(run)
	t.mu.Lock()
	t.locks[name] = l
	t.mu.Unlock()
	return l, nil
}

// holder is the run: after kill -9 the same run gets its lock back at once.
func holder(o port.DeployRequest) string {
	if o.Run == "" {
		return "somebody"
	}
	return string(o.Run)
}

// release frees the environment's lock if we hold it.
func (t *Target) release(ctx context.Context, o port.DeployRequest) error {
	name := recordName(o.Service, o.Environment)
	t.mu.Lock()
	l, ok := t.locks[name]
	delete(t.locks, name)
	t.mu.Unlock()
	if !ok {
		return nil
	}
	return l.free(ctx)
}

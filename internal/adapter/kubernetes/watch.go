package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/port"
)

// watch returns the informers for the request's service. The steps of a run share
// them, as they share the lease, unless a watch was interrupted: what an outage hid
// would be missing from the copy when the next step starts to wait.
func (t *Target) watch(ctx context.Context, c *client.Client, o port.DeployRequest) (*client.Informers, error) {
	name := labels.ObjectName(o.Service, o.Environment)
	t.mu.Lock()
	known := t.informers[name]
	t.mu.Unlock()
	if known != nil && !known.Interrupted() {
		return known, nil
	}
	t.closeWatch(name)
	informers, err := c.Watch(ctx, labels.Selector(o.Service, o.Environment), labels.PodSelector(o.Service))
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.informers[name] = informers
	return informers, nil
}

func (t *Target) closeWatch(name string) {
	t.mu.Lock()
	known := t.informers[name]
	delete(t.informers, name)
	t.mu.Unlock()
	if known != nil {
		known.Close()
	}
}

package client

import (
	"context"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// Endpoints keep a copy of the EndpointSlices of some Services, by watching them.
type Endpoints struct {
	informers *Informers
	slices    cache.SharedIndexInformer
}

// WatchEndpoints starts to watch the EndpointSlices of Services, and returns once the
// first copy is complete. Close ends it.
func (c *Client) WatchEndpoints(ctx context.Context, services []string) (*Endpoints, error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &Endpoints{informers: &Informers{client: c, changed: make(chan struct{}, 1), stop: stop}}
	e.slices = e.informers.start(run, EndpointSlices(), EndpointsSelector(services), "")
	if err := e.informers.sync(ctx, e.slices); err != nil {
		return nil, err
	}
	return e, nil
}

// EndpointsSelector selects the EndpointSlices of Services.
func EndpointsSelector(services []string) string {
	return discoveryv1.LabelServiceName + " in (" + strings.Join(services, ",") + ")"
}

// Close ends the watch.
func (e *Endpoints) Close() { e.informers.Close() }

// Changed returns a channel that receives after each change.
func (e *Endpoints) Changed() <-chan struct{} { return e.informers.Changed() }

// Slices returns the copy as it is now.
func (e *Endpoints) Slices() ([]discoveryv1.EndpointSlice, error) {
	if err := e.informers.Err(); err != nil {
		return nil, err
	}
	return storedAs[discoveryv1.EndpointSlice](e.slices)
}

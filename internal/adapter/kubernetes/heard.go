package kubernetes

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// spreads is how long the nodes may take to hear of a switch, once it is in the
// cluster's own books: by default they look once a second.
const spreads = 1500 * time.Millisecond

// heard waits until nobody is sent to other releases any more: their pods can end
// then without a request on its way to them. Pods that linger give the nodes the
// time themselves.
func (e *entry) heard(ctx context.Context) error {
	others, patient := map[string]bool{}, true
	found, err := e.c.podsOf(ctx, e.o.Service, e.o.Environment)
	if err != nil {
		return err
	}
	for _, pod := range found {
		if releaseOf(pod) != e.o.ID && pod.DeletionTimestamp == nil {
			others[pod.Name] = true
			patient = patient && stays(pod)
		}
	}
	if len(others) == 0 {
		return nil
	}
	err = poll(ctx, func() (bool, error) {
		for _, s := range e.b.entries {
			sent, err := e.c.endpoints(ctx, s.GetName())
			if err != nil || slices.ContainsFunc(sent, func(pod string) bool { return others[pod] }) {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil || patient {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(spreads):
		return nil
	}
}

// stays tells that a pod goes on answering for a while when its end is announced.
func stays(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	})
}

// endpoints are the pods to which a Service sends requests.
func (c *cluster) endpoints(ctx context.Context, service string) ([]string, error) {
	found, err := c.list(ctx, endpointSlices(), discoveryv1.LabelServiceName+"="+service)
	if err != nil {
		return nil, err
	}
	all, err := typed[discoveryv1.EndpointSlice](found)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		for _, e := range s.Endpoints {
			if e.TargetRef != nil {
				names = append(names, e.TargetRef.Name)
			}
		}
	}
	return names, nil
}

package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Promote gives the staged release the traffic. The pods of the one before are
// told to end once nobody is sent to them; they have their own time for what is
// in flight.
func (t *Target) Promote(ctx context.Context, o port.Order, say func(string)) (port.Observation, error) {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return port.Observation{}, err
	}
	if e.b, err = t.bundle(e.c, o); err != nil {
		return port.Observation{}, err
	}
	back := e.there(ctx)
	if !back && !e.st.runs(e.b) {
		return port.Observation{}, fault.New(fault.Conflict, "give %s the traffic of %s: it is not beside what serves", o.ID, o.Environment)
	}
	if err := e.takeOver(ctx, back); err != nil {
		return port.Observation{}, err
	}
	t.unforward(o)
	return t.Observe(ctx, o.Service, o.Environment)
}

// takeOver switches the Services and lets the Deployment complete, in the order
// that the strategy wants. It may be called again at any point of its way.
func (e *entry) takeOver(ctx context.Context, back bool) error {
	if err := e.apply(ctx, e.b.rest, true); err != nil {
		return err
	}
	ready, err := e.ready(ctx)
	if err != nil {
		return err
	}
	if ready {
		e.say("switching the traffic")
		if err := e.point(ctx, e.o.ID); err != nil {
			return err
		}
		if e.o.Strategy == delivery.BlueGreen && !back && e.st.braked(e.b) {
			return nil // those before stay until it has been accepted
		}
		if err := e.heard(ctx); err != nil {
			return err
		}
		return e.settleDown(ctx, e.b)
	}
	e.say("replacing the pods")
	if err := e.point(ctx, ""); err != nil {
		return err
	}
	if err := e.settleDown(ctx, e.b); err != nil {
		return err
	}
	return e.point(ctx, e.o.ID)
}

// ready tells that all pods of the release can take requests already, so that
// those before need not help out.
func (e *entry) ready(ctx context.Context) (bool, error) {
	count, err := e.readyPods(ctx)
	if err != nil {
		return false, err
	}
	for _, d := range e.b.ours {
		if int64(count[d.GetName()]) < wanted(e.st.live[d.GetName()], d) {
			return false, nil
		}
	}
	return true, nil
}

// spreads is how long the nodes may take to hear of a switch, once it is in the
// cluster's own books: by default they look once a second.
const spreads = 1500 * time.Millisecond

// heard waits until nobody is sent to other releases any more: their pods can end
// then without a request on its way to them.
func (e *entry) heard(ctx context.Context) error {
	others := map[string]bool{}
	found, err := e.c.podsOf(ctx, e.o.Service, e.o.Environment)
	if err != nil {
		return err
	}
	for _, pod := range found {
		if releaseOf(pod) != e.o.ID && pod.DeletionTimestamp == nil {
			others[pod.Name] = true
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
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(spreads):
		return nil
	}
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

// point makes the Services select the release's pods only; an empty id: those of
// all releases.
func (e *entry) point(ctx context.Context, id delivery.ReleaseID) error {
	for _, s := range e.b.pinned(id) {
		if err := e.fenced(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// fencedTries is how often an object that changes under our hands is read again.
const fencedTries = 10

// fenced applies a Service unless somebody who took the lock after us has been
// there: the look and the change are one, by the object's resourceVersion.
func (e *entry) fenced(ctx context.Context, s *unstructured.Unstructured) error {
	for range fencedTries {
		bounded, cancel, err := e.l.guard(ctx)
		if err != nil {
			return err
		}
		err = e.fencedOnce(bounded, s)
		cancel()
		if !apierrors.IsConflict(err) || conflicting(err) != "" {
			return err
		}
	}
	return fault.New(fault.Conflict, "switch %s: something changes it all the time", title(s))
}

func (e *entry) fencedOnce(ctx context.Context, s *unstructured.Unstructured) error {
	live, err := e.c.get(ctx, services(), s.GetNamespace(), s.GetName())
	if err != nil {
		return err
	}
	out := s.DeepCopy()
	annotations := out.GetAnnotations()
	annotations[fenceMark] = e.l.fenceText()
	out.SetAnnotations(annotations)
	if live != nil {
		if by := live.GetAnnotations()[fenceMark]; later(by, e.l.fence) {
			return fault.New(fault.Conflict, "switch %s in %s: a later run has been there (%s after %d)", title(s), e.c.where, by, e.l.fence).
				Hint("another Slipway delivers here; `slipway status` shows what serves")
		}
		out.SetResourceVersion(live.GetResourceVersion())
	}
	_, err = e.c.in(services(), out.GetNamespace()).Apply(ctx, out.GetName(), out, metav1.ApplyOptions{FieldManager: manager, Force: true})
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err):
		return err
	case live != nil && apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", errTaken, err)
	}
	return e.c.explainApply(s, err)
}

func later(fence string, ours int64) bool {
	var n int64
	_, err := fmt.Sscanf(fence, "%d", &n)
	return err == nil && n > ours
}

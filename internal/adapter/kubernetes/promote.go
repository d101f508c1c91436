package kubernetes

import (
	"context"
	"fmt"
	"slices"

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
func (t *Target) Promote(ctx context.Context, o port.DeployRequest, say func(string)) (port.Observation, error) {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return port.Observation{}, err
	}
	if e.b, err = t.bundle(ctx, e.c, o); err != nil {
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
	if err := e.apply(ctx, e.remaining(back), true); err != nil {
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

// remaining are the objects that Stage did not apply.
func (e *entry) remaining(back bool) []*unstructured.Unstructured {
	if back {
		return e.b.rest // nothing was staged: it is all there but what moves users
	}
	done := e.groundwork()
	var out []*unstructured.Unstructured
	for _, o := range e.b.rest {
		if !slices.Contains(done, o) {
			out = append(out, o)
		}
	}
	return out
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
	annotations[fenceMark] = e.l.mark().String()
	out.SetAnnotations(annotations)
	if live != nil {
		if by := switchOf(live).fence; by > e.l.fence {
			return fault.New(fault.Conflict, "switch %s in %s: a later run has been there (%d after %d)", title(s), e.c.where, by, e.l.fence).
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

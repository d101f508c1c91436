package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Promote switches the traffic to the staged release. The pods of the one before end
// once they receive no more requests; they have their own time for those in flight.
func (t *Target) Promote(ctx context.Context, o port.DeployRequest, report func(string)) (port.Observation, error) {
	op, err := t.beginRollout(ctx, o, report)
	if err != nil {
		return port.Observation{}, err
	}
	retained := op.isRetained(ctx)
	if !retained && !op.state.Runs(op.set) {
		return port.Observation{}, fault.New(fault.Conflict, "promote %s in %s: the release is not staged", o.ID, o.Environment)
	}
	if err := op.promote(ctx, retained); err != nil {
		return port.Observation{}, err
	}
	t.closeForward(o)
	return t.awaitUsers(ctx, o, report)
}

// promote switches the Services and lets the Deployment complete, in the order that the
// strategy requires. It may be repeated after it stopped at any point.
func (op *operation) promote(ctx context.Context, retained bool) error {
	if err := op.applyOthers(ctx, op.unstagedObjects(retained)); err != nil {
		return err
	}
	if err := op.awaitSplitEnd(ctx, op.set); err != nil {
		return err
	}
	ready, err := op.allReady(ctx)
	if err != nil {
		return err
	}
	if !ready { // the old pods must help out meanwhile
		op.report("replacing the pods")
		if err := op.selectRelease(ctx, op.set, ""); err != nil {
			return err
		}
		if err := op.complete(ctx, op.set); err != nil {
			return err
		}
		return op.selectRelease(ctx, op.set, op.set.Release)
	}
	op.report("switching the traffic")
	if err := op.selectRelease(ctx, op.set, op.set.Release); err != nil {
		return err
	}
	if op.request.Strategy == delivery.BlueGreen && !retained && op.state.IsHeld(op.set) {
		return nil // the old pods stay until the release is accepted
	}
	if err := op.waitPropagation(ctx); err != nil {
		return err
	}
	return op.complete(ctx, op.set)
}

// unstagedObjects returns the objects that Stage did not apply.
func (op *operation) unstagedObjects(retained bool) []*unstructured.Unstructured {
	if retained {
		return op.set.Others // nothing was staged
	}
	return op.set.Unstaged(op.state.Traffic == "")
}

package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/port"
)

// Finalize completes the rollout of a release that was accepted, removes what no release
// needs that can come back, and lets the next run in.
func (t *Target) Finalize(ctx context.Context, o port.DeployRequest, report func(string)) error {
	op, err := t.begin(ctx, o, report)
	if err != nil {
		return err
	}
	if op.state.Traffic != o.ID {
		return t.release(ctx, o) // another run has deployed since
	}
	if op.set, err = t.objects(ctx, op.client, o); err != nil {
		return err
	}
	if err := op.leaveReplicas(ctx, op.set); err != nil {
		return err
	}
	if op.state.IsHeld(op.set) || !op.state.Runs(op.set) {
		if err := op.waitPropagation(ctx); err != nil {
			return err
		}
		if err := op.complete(ctx, op.set); err != nil {
			return err
		}
	}
	if err := op.prune(ctx, o.ID); err != nil {
		return err
	}
	if err := op.restoreReplicas(ctx); err != nil {
		return err
	}
	return t.release(ctx, o)
}

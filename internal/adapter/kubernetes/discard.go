package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/port"
)

// Discard stops a release that was not given the traffic, and removes what came with
// it. The current release is restored as it was recorded.
func (t *Target) Discard(ctx context.Context, o port.DeployRequest) error {
	op, err := t.begin(ctx, o, nil)
	if err != nil {
		return err
	}
	t.closeForward(o)
	if op.state.Traffic == o.ID {
		return nil // promoted, not staged
	}
	if !op.isStaged() {
		return op.prune(ctx, op.state.Traffic)
	}
	current, err := op.current(ctx)
	if err != nil {
		return err
	}
	if current == nil {
		return op.removeAll(ctx)
	}
	return op.restore(ctx, current)
}

// restore leads all requests to the current release, applies it as it was recorded, and
// removes what came with the other one. The other one may have got as far as its first
// objects beside the pods.
func (op *operation) restore(ctx context.Context, current *manifest.Set) error {
	if err := op.routeAllTo(ctx, current); err != nil {
		return err
	}
	if err := op.apply(ctx, current.Unstaged(false)); err != nil {
		return err
	}
	if err := op.complete(ctx, current); err != nil {
		return err
	}
	return op.prune(ctx, current.Release)
}

// isStaged reports whether a Deployment runs or holds the request's release.
func (op *operation) isStaged() bool {
	if op.state.Staged() == op.request.ID {
		return true
	}
	for _, d := range op.state.Deployments {
		if manifest.TemplateRelease(d) == op.request.ID {
			return true
		}
	}
	return false
}

package rollback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// fail leaves the undo to the engine, or undoes the deployment here if the plan
// names no undo step: the environment must not be left in between.
func (f forward) fail(ctx context.Context, why error) (step.Result, error) {
	res := step.FailWith(why)
	if f.Request.Spec.Undo != "" {
		return res, nil
	}
	back := f.base
	back.Request.Cause, back.Request.InfrastructureFailure = res.Cause, res.InfrastructureFailure
	undone, err := back.undo(ctx)
	if err != nil {
		return step.Result{}, err
	}
	if undone.Outcome == delivery.OutcomeFailed {
		return undone, nil
	}
	res.Cause += "; " + undone.Summary
	return res, nil
}

// undoTimeout is how long the undo may take after the run was stopped.
const undoTimeout = 10 * time.Minute

// stopped undoes the deployment, under a context that outlives the run's, if the
// run was stopped halfway and the plan names no undo step.
func (f forward) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if f.Request.Spec.Undo != "" {
		return cause
	}
	undoCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	back := f.base
	back.Request.Cause, back.Request.Cancelled = cause.Error(), true
	res, err := back.undo(undoCtx)
	switch {
	case err != nil:
		return errors.Join(cause, err)
	case res.Outcome == delivery.OutcomeFailed:
		return errors.Join(cause, errors.New(res.Cause))
	}
	return cause
}

// finish quarantines what was replaced, so that nothing deploys it again.
func (f forward) finish(ctx context.Context, d delivery.Deployment) (step.Result, error) {
	replaced, ok, err := f.replaced(ctx, d)
	if err != nil {
		return step.Result{}, err
	}
	if ok && replaced.Instance() != d.Instance() {
		if err := f.quarantine(ctx, replaced, d.Release, f.reason()); err != nil {
			return step.Result{}, err
		}
	}
	if err := f.PublishAccepted(ctx, f.request.Service); err != nil {
		return step.Result{}, err
	}
	f.ShowAccepted(ctx, d.Release)
	if err := f.Finalize(ctx, f.request); err != nil {
		return step.Result{}, err
	}
	obs, err := f.Observe(ctx, f.request.Service)
	if err != nil {
		return step.Result{}, err
	}
	summary := fmt.Sprintf("%s is deployed in %s again", f.rel.ID, f.Request.Environment)
	f.Request.EmitDeployment(f.rel.ID, "%s", summary)
	if d.Replaced != "" && d.Replaced != f.rel.ID {
		summary += fmt.Sprintf(", replacing %s, which is quarantined", d.Replaced)
	}
	return step.Succeed(summary, step.DeployOutput{Release: f.rel.ID, Deployment: d.ID, URL: obs.URL, Since: f.Clock.Now()})
}

// replaced is the deployment that d replaced; ok is false without one.
func (f forward) replaced(ctx context.Context, d delivery.Deployment) (replaced delivery.Deployment, ok bool, err error) {
	if d.Replaced == "" {
		return replaced, false, nil
	}
	before := port.DeploymentFilter{Environment: f.Request.Environment, Release: d.Replaced, Accepted: true}
	for r, err := range port.AllDeployments(ctx, f.Deployments, before) {
		if err != nil {
			return replaced, false, fmt.Errorf("read the deployment history of %s: %w", f.Request.Environment, err)
		}
		if r.ID != d.ID {
			return r, true, nil
		}
	}
	return delivery.Deployment{Release: d.Replaced}, true, nil
}

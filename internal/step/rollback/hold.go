package rollback

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// hold ends the deployment as held if its release has the traffic: with that policy, it
// is not rolled back automatically. A release that has not got that
// far is taken back as usual, from beside whatever has the traffic.
func (u *undo) hold(ctx context.Context) (res step.Result, done bool, err error) {
	obs, res, done, err := u.observe(ctx)
	switch {
	case done || err != nil:
		return res, done, err
	case obs.Release == u.failed.Instance():
		if err := u.Deployments.End(ctx, u.failed.ID, delivery.Held, u.reason(), u.Clock.Now()); err != nil {
			return res, false, fmt.Errorf("record that %s is held in %s: %w", u.failed.Release, u.Request.Environment, err)
		}
		res, err := u.held(ctx)
		return res, true, err
	case u.hasCurrent && obs.Release != u.current.Instance():
		u.keeps = obs.Release // held by a run before this one
	}
	return res, false, nil
}

// held publishes that the release is held, and lets the next run in. Nothing is
// quarantined: whether the release is good is what a person decides.
func (u undo) held(ctx context.Context) (step.Result, error) {
	env, release := u.Request.Environment, u.failed.Release
	if err := u.finalize(ctx); err != nil {
		return step.Result{}, err
	}
	cause := fmt.Sprintf("held: %s keeps the traffic of %s (deploy.on_failure: hold)", release, env)
	u.Request.EmitDeployment(release, "%s", cause)
	res := skipped(fmt.Sprintf("%s is held in %s", release, env))
	res.Cause = cause
	res.Hint = fmt.Sprintf("roll back with `slipway rollback --env %s`, or deploy a good release with `slipway run --env %s`", env, env)
	if !u.hasCurrent {
		res.Hint = fmt.Sprintf("nothing was deployed before it: deploy a good release with `slipway run --env %s`, or remove it with `slipway down`", env)
	}
	return res, nil
}

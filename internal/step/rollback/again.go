package rollback

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// sameInstance reports whether what is current was being deployed once more, as it is,
// such as to repair it: there is none to quarantine, nor another one to go back to.
func (u undo) sameInstance() bool { return u.hasCurrent && u.current.Instance() == u.failed.Instance() }

// keepServing ends the deployment of what is current already if that serves: restoring
// it would be the same deployment again.
func (u undo) keepServing(ctx context.Context) (res step.Result, done bool, err error) {
	obs, res, done, err := u.observe(ctx)
	if done || err != nil {
		return res, done, err
	}
	if obs.Release != u.current.Instance() || rollout.DownReason(obs, obs.Release) != "" {
		return res, false, nil
	}
	res, err = u.endAgain(ctx, u.unlock)
	return res, true, err
}

// endAgain records that the deployment of what is current already failed, and lets the
// next run in.
func (u undo) endAgain(ctx context.Context, end func(context.Context) error) (step.Result, error) {
	state := delivery.Stuck
	if u.Request.Cancelled {
		state = delivery.Cancelled
	}
	if err := u.Deployments.End(ctx, u.failed.ID, state, u.reason(), u.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s was not deployed again to %s: %w", u.failed.Release, u.Request.Environment, err)
	}
	if err := end(ctx); err != nil {
		return step.Result{}, err
	}
	return u.notRepaired(ctx), nil
}

// notRepaired reports what was tried, and what serves.
func (u undo) notRepaired(ctx context.Context) step.Result {
	env, release := u.Request.Environment, u.failed.Release
	tried := fmt.Sprintf("%s was deployed to %s again", release, env)
	if difference, ok := strings.CutPrefix(u.failed.Reason, rollout.RepairReason); ok {
		tried = fmt.Sprintf("this was to repair %s in %s: %s", release, env, difference)
	}
	res := skipped(fmt.Sprintf("%s stays deployed in %s", release, env))
	res.Cause = fmt.Sprintf("%s; it is neither rolled back nor quarantined: %s", tried, u.currentState(ctx))
	res.Hint = fmt.Sprintf("look for differences with `slipway verify --env %s`, then start a new run with `slipway run --env %s`", env, env)
	u.Request.EmitDeployment(release, "%s", res.Summary)
	return res
}

// observe observes the target, and retries while that is unreachable. done means that it
// stayed so: the result is that of the whole undo.
func (u undo) observe(ctx context.Context) (obs port.Observation, res step.Result, done bool, err error) {
	_, failures := u.retry(ctx, func(ctx context.Context) (_ string, err error) {
		obs, err = u.Observe(ctx, u.Request.Service)
		return "", err
	})
	switch {
	case failures != nil && ctx.Err() != nil && !timedOut(ctx):
		return obs, res, false, context.Cause(ctx)
	case failures != nil:
		res, err := u.fail(ctx, failures)
		return obs, res, true, err
	}
	return obs, res, false, nil
}

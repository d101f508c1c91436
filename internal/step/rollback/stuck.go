package rollback

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// fail records that the rollback failed, and what a person needs to know to fix
// it.
func (u undo) fail(ctx context.Context, failures []error) (step.Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	env := u.Request.Environment
	goal := "an empty " + string(env)
	if u.hasCurrent {
		goal = string(u.current.Release)
	}
	what := fmt.Sprintf("rollback of %s to %s", u.failed.Release, goal)
	if u.sameInstance() {
		what = "restoring " + string(u.failed.Release)
	}
	cause := fmt.Sprintf("%s in %s failed: %s; %s", what, env, attempts(failures), u.currentState(ctx))
	if err := u.Deployments.End(ctx, u.failed.ID, delivery.Stuck, cause, u.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record the failed rollback of %s (%s): %w", u.failed.Release, cause, err)
	}
	u.Request.EmitDeployment(u.failed.Release, "%s", cause)
	res := step.Fail("%s", cause)
	res.Hint = fmt.Sprintf("check `slipway status --env %s` and `slipway logs`, fix the target, then run `slipway rollback --env %s`", env, env)
	return res, nil
}

// attempts lists the failures in order; consecutive equal ones are joined.
func attempts(failures []error) string {
	var parts []string
	for i := 0; i < len(failures); {
		text, last := failures[i].Error(), i
		for last+1 < len(failures) && failures[last+1].Error() == text {
			last++
		}
		which := fmt.Sprintf("attempt %d", i+1)
		if last > i {
			which = fmt.Sprintf("attempts %d to %d", i+1, last+1)
		}
		parts = append(parts, which+": "+text)
		i = last + 1
	}
	return strings.Join(parts, "; ")
}

// currentState describes what the target reports.
func (u undo) currentState(ctx context.Context) string {
	obs, err := u.Target.Observe(ctx, u.Request.Service, u.Request.Environment)
	if err != nil {
		return "the current state is unknown: " + err.Error()
	}
	ready, total := 0, 0
	for _, rep := range obs.Replicas {
		if rep.Release == obs.Release {
			total++
			if rep.State == port.ReplicaReady {
				ready++
			}
		}
	}
	if obs.Release == "" {
		return "no release receives the traffic now"
	}
	return fmt.Sprintf("%s receives the traffic at %s now, %d of %d replicas ready", obs.Release, obs.URL, ready, total)
}

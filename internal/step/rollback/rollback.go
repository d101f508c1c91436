// Package rollback goes back to a release as a whole: image, model and
// configuration, as they were recorded, verified like any deployment.
//
// As the undo of a deployment it restores the environment's current release, as
// recorded, and quarantines the one that came in. As a step that a person
// requested it deploys the named release, and quarantines the one that it
// replaces.
//
// The records are right at every moment: a deployment is Serving only after it
// was verified, and stays so until another one is. A crash between two calls
// leaves the deployment Deploying, and the next call goes on from there.
package rollback

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Step rolls back.
type Step struct {
	rollout.Services
	Trust trust.Verifier // for environments that require signatures
}

// Run undoes this run's deployment if r has a Cause or is Cancelled, and
// otherwise rolls back to Params.Release. Its output is step.DeployOutput: what is
// deployed now. Skipped means that there was nothing to undo. A failed result
// names the current state and what was tried; the deployment is recorded as Stuck.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	params, session, err := rollout.Open[step.RollbackParams](s.Services, r)
	if err != nil {
		return step.Result{}, err
	}
	b := base{Session: session, trust: s.Trust, params: params}
	if params.Release != "" && r.Cause == "" && !r.Cancelled {
		return forward{base: b}.run(ctx)
	}
	return b.undo(ctx)
}

// base is what both directions need.
type base struct {
	rollout.Session
	trust  trust.Verifier
	params step.RollbackParams
}

// requestFor asks the target for a release that comes back.
func (b base) requestFor(rel delivery.ReleaseRecord, config *delivery.Configuration) port.DeployRequest {
	o := b.RequestFor(rel, config)
	o.Rollback = true
	return o
}

func (b base) undo(ctx context.Context) (step.Result, error) {
	failed, ok, err := b.OfRun(ctx)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		return skipped("nothing was deployed to " + string(b.Request.Environment)), nil
	}
	current, has, err := b.Current(ctx)
	if err != nil {
		return step.Result{}, err
	}
	u := undo{base: b, failed: failed, current: current, hasCurrent: has}
	switch failed.State {
	case delivery.RolledBack, delivery.Cancelled:
		// Everything else was done before it was recorded.
		if u.sameInstance() {
			return u.endAgain(ctx, u.unlock)
		}
		if err := u.finalize(ctx); err != nil {
			return step.Result{}, err
		}
		return u.done("")
	case delivery.Held:
		return u.held(ctx)
	case delivery.Deploying, delivery.Stuck:
		return u.run(ctx)
	}
	return skipped(fmt.Sprintf("%s was already accepted in %s (%s)", failed.Release, b.Request.Environment, failed.State)), nil
}

func skipped(why string) step.Result {
	return step.Result{Outcome: delivery.OutcomeSkipped, Summary: why}
}

// quarantine keeps what was deployed out: the release, or if that one comes in again
// with another configuration, the configuration that it had.
func (b base) quarantine(ctx context.Context, d delivery.Deployment, again delivery.ReleaseID, reason string) error {
	q := delivery.Quarantine{Release: d.Release, Environment: b.Request.Environment, Reason: reason, Since: b.Clock.Now(), Run: b.Request.Run}
	if d.Release == again {
		rel, err := b.Recorded(ctx, d.Release)
		if err != nil {
			return err
		}
		config := rel.Release.WithConfiguration(d.Config).Configuration()
		q.Release, q.Config, q.Inputs = d.Instance(), &config, delivery.Inputs{Build: rel.Origin.Inputs.Build, Configuration: d.Inputs.Configuration}
	}
	if err := b.Releases.Quarantine(ctx, q); err != nil {
		return fmt.Errorf("quarantine %s: %w", q.Release, err)
	}
	return nil
}

// Package rollback goes back to a release as a whole: image, model and
// configuration, as they were recorded, verified like any deployment.
//
// As the undo of a deployment it restores what the records say that serves, and
// quarantines what came in. As a step that a person asked for it brings in the
// named release, and quarantines what it replaces.
//
// The records have one truth at every moment: a deployment is Serving only after
// it was verified, and stays so until another one is. A crash between two calls
// leaves the deployment Deploying, and the next call goes on from there.
package rollback

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Step goes back.
type Step struct {
	Targets     probe.Targets
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Models      port.ModelRegistry
	Prober      port.Prober
	Trust       trust.Verifier // for environments that demand signatures
	Clock       step.Clock
}

// Run undoes this run's deployment when r has a Cause or is Cancelled, and
// otherwise brings With.Release back. Its output is step.DeployOutput: what serves
// now. Skipped means that there was nothing to undo. A result that failed says
// what serves now and what was tried; the deployment is recorded as Stuck.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.DeployParams](r)
	if err != nil {
		return step.Result{}, err
	}
	target, err := s.Targets.Find(w.Target, w.Location)
	if err != nil {
		return step.Result{}, err
	}
	b := base{Step: s, r: r, w: w, target: target}
	if w.Release != "" && r.Cause == "" && !r.Cancelled {
		return forward{base: b}.run(ctx)
	}
	return b.undo(ctx)
}

// base is what both directions need.
type base struct {
	Step
	r      step.Request
	w      step.DeployParams
	target port.Target
}

func (b base) probe() probe.Checker { return probe.Checker{Prober: b.Prober, Clock: b.Clock} }

func (b base) undo(ctx context.Context) (step.Result, error) {
	bad, ok, err := probe.DeploymentOfRun(ctx, b.Deployments, b.r)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		return skipped("nothing was brought into " + string(b.r.Environment)), nil
	}
	serving, has, err := b.Deployments.Current(ctx, b.r.Environment)
	if err != nil {
		return step.Result{}, fmt.Errorf("ask what serves in %s: %w", b.r.Environment, err)
	}
	u := undo{base: b, bad: bad, prev: serving, has: has}
	switch bad.State {
	case delivery.RolledBack, delivery.Cancelled:
		// Everything else was done before it was recorded.
		if err := u.settle(ctx); err != nil {
			return step.Result{}, err
		}
		return u.done("")
	case delivery.Deploying, delivery.Stuck:
		return u.run(ctx)
	}
	return skipped(fmt.Sprintf("%s was accepted into %s (%s)", bad.Release, b.r.Environment, bad.State)), nil
}

func skipped(why string) step.Result {
	return step.Result{Outcome: delivery.OutcomeSkipped, Summary: why}
}

// tell writes the history beside what serves, for targets that keep one.
func (b base) tell(ctx context.Context, service string) error {
	return b.records().Publish(ctx, b.target, service, b.r.Environment)
}

func (b base) records() probe.Records {
	return probe.Records{Deployments: b.Deployments, Releases: b.Releases, Models: b.Models}
}

func (b base) observe(ctx context.Context, service string) (port.Observation, error) {
	obs, err := b.target.Observe(ctx, service, b.r.Environment)
	if err != nil {
		return obs, fmt.Errorf("look at %s: %w", b.r.Environment, err)
	}
	return obs, nil
}

func (b base) recorded(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	rel, err := b.Releases.Get(ctx, id)
	if err != nil {
		return rel, fmt.Errorf("read release %s: %w", id, err)
	}
	return rel, nil
}

func (b base) quarantine(ctx context.Context, id delivery.ReleaseID, reason string) error {
	err := b.Releases.Quarantine(ctx, delivery.Quarantine{
		Release: id, Environment: b.r.Environment, Reason: reason, Since: b.Clock.Now(), Run: b.r.Run,
	})
	if err != nil {
		return fmt.Errorf("quarantine %s: %w", id, err)
	}
	return nil
}

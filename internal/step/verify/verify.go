// Package verify asks the service at its stable address, as users do, whether
// the new release answers, and does what it should.
package verify

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// Step verifies.
type Step struct {
	Targets     probe.Targets
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Prober      port.Prober
	Clock       step.Clock
}

// Run verifies what was deployed before it; without a deployment in this run,
// With.Release, or else what the records say that serves. Its output is
// step.DeployOutput. It changes nothing.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.DeployParams](r)
	if err != nil {
		return step.Result{}, err
	}
	target, err := s.Targets.Find(w.Target, w.Location)
	if err != nil {
		return step.Result{}, err
	}
	d, err := s.deployed(ctx, r, w)
	if err != nil {
		return step.Result{}, err
	}
	rel, err := s.Releases.Get(ctx, d.Release)
	if err != nil {
		return step.Result{}, fmt.Errorf("read release %s: %w", d.Release, err)
	}
	want, err := probe.ExpectationFor(w, rel)
	if err != nil {
		return step.Result{}, err
	}
	order := probe.RequestFor(r, w, rel)
	// Asked anew, also for what this run has deployed: an address may be good only
	// for the process that it was given to.
	obs, err := target.Observe(ctx, order.Service, r.Environment)
	if err != nil {
		return step.Result{}, fmt.Errorf("look at %s: %w", r.Environment, err)
	}
	d.URL = obs.URL
	want.FailureCheck = probe.FailureCheck(target, order)
	return s.ask(ctx, r, d, obs.Address(), want)
}

func (s Step) ask(ctx context.Context, r step.Request, d step.DeployOutput, address string, want probe.Expectation) (step.Result, error) {
	answers, err := probe.Checker{Prober: s.Prober, Clock: s.Clock}.Check(ctx, r, address, want)
	if ctx.Err() != nil {
		return step.Result{}, context.Cause(ctx)
	}
	if err != nil {
		res := step.FailWith(fmt.Errorf("verify %s in %s: %w", d.Release, r.Environment, err))
		res.GateResults = answers
		return res, nil
	}
	res, err := step.Succeed(fmt.Sprintf("%s answers at %s (%d checks)", d.Release, d.URL, len(answers)), d)
	res.GateResults = answers
	return res, err
}

// deployed is what to verify.
func (s Step) deployed(ctx context.Context, r step.Request, w step.DeployParams) (step.DeployOutput, error) {
	for _, kind := range []step.Kind{step.Deploy, step.Rollback} {
		d, ok, err := step.OutputOf[step.DeployOutput](r.Inputs, kind)
		if err != nil || ok {
			return d, err
		}
	}
	serving, ok, err := s.Deployments.Current(ctx, r.Environment)
	if err != nil {
		return step.DeployOutput{}, fmt.Errorf("ask what serves in %s: %w", r.Environment, err)
	}
	switch {
	case ok && (w.Release == "" || w.Release == serving.Release):
		return step.DeployOutput{Release: serving.Release, Deployment: serving.ID, AlreadyDeployed: true, Since: serving.ServingAt}, nil
	case w.Release != "":
		return step.DeployOutput{Release: w.Release}, nil
	}
	return step.DeployOutput{}, fault.New(fault.NotFound, "nothing serves in %s", r.Environment).
		Hint("deploy with `slipway run --env %s`", r.Environment)
}

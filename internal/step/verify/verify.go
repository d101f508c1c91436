// Package verify checks the service at its stable address, as users reach it:
// whether the new release responds, and does what it should.
package verify

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// Step verifies.
type Step struct{ rollout.Services }

// Run verifies what the run has deployed; without a deployment in this run,
// Params.Release, or else the environment's current deployment. Its output is
// step.DeployOutput. It changes nothing.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	params, session, err := rollout.Open[step.VerifyParams](s.Services, r)
	if err != nil {
		return step.Result{}, err
	}
	deployed, err := toVerify(ctx, session, params)
	if err != nil {
		return step.Result{}, err
	}
	rel, err := session.Recorded(ctx, deployed.Release)
	if err != nil {
		return step.Result{}, err
	}
	config, err := session.ConfigurationOf(ctx, deployed.Deployment)
	if err != nil {
		return step.Result{}, err
	}
	request := session.RequestFor(rel, config)
	want, err := session.Expect(params.ProbeParams, request)
	if err != nil {
		return step.Result{}, err
	}
	// Observed anew, also after a deployment by this run: an address may be valid
	// only for the process that received it.
	obs, err := session.Observe(ctx, request.Service)
	if err != nil {
		return step.Result{}, err
	}
	deployed.URL = obs.URL
	want.FailureCheck = session.FailureCheck(request)
	return check(ctx, session, deployed, obs, want)
}

func check(ctx context.Context, s rollout.Session, d step.DeployOutput, obs port.Observation, want probe.Expectation) (step.Result, error) {
	report, err := s.Checker().Check(ctx, s.Request, obs.Address(), want)
	results := report.GateResults
	if ctx.Err() != nil {
		return step.Result{}, context.Cause(ctx)
	}
	if err != nil {
		res := step.FailWith(rollout.GateError(results, err, "at "+d.URL))
		res.GateResults = results
		return res, nil
	}
	d.Identity = report.Identity
	summary := fmt.Sprintf("%s responds at %s (%d checks)", d.Release, d.URL, len(results))
	if obs.Unreachable != "" {
		summary += ", but users can't reach it: " + obs.Unreachable
	}
	res, err := step.Succeed(summary, d)
	res.GateResults = results
	return res, err
}

// toVerify returns the deployment to verify.
func toVerify(ctx context.Context, s rollout.Session, params step.VerifyParams) (step.DeployOutput, error) {
	if d, ok, err := rollout.Deployed(s.Request); ok || err != nil {
		return d, err
	}
	current, ok, err := s.Current(ctx)
	if err != nil {
		return step.DeployOutput{}, err
	}
	switch {
	case ok && (params.Release == "" || params.Release == current.Release):
		return step.DeployOutput{Release: current.Release, Deployment: current.ID, AlreadyDeployed: true, Since: current.ServingAt}, nil
	case params.Release != "":
		return step.DeployOutput{Release: params.Release}, nil
	}
	env := s.Request.Environment
	return step.DeployOutput{}, fault.New(fault.NotFound, "nothing is deployed in %s", env).Hint("deploy with `slipway run --env %s`", env)
}

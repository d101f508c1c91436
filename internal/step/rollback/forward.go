package rollback

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// forward is a rollback that a person requested. It accepts the release itself
// once it is verified: it was deployed before, and needs no baking.
type forward struct {
	base
	rel     delivery.ReleaseRecord
	config  *delivery.Configuration // as the environment overrode it; nil: the release's own
	commit  string                  // that brought it there
	want    probe.Expectation
	request port.DeployRequest
	current delivery.Deployment // zero if nothing is deployed
	held    delivery.Deployment // newer than that: it failed and kept the traffic; zero: none
}

func (f forward) run(ctx context.Context) (step.Result, error) {
	var err error
	if f.rel, err = f.Recorded(ctx, f.params.Release); err != nil {
		return step.Result{}, err
	}
	if err := f.restoreConfiguration(ctx); err != nil {
		return step.Result{}, err
	}
	f.request = f.requestFor(f.rel, f.config)
	if f.want, err = f.Expect(f.params.ProbeParams, f.request); err != nil {
		return step.Result{}, err
	}
	begun, resumed, err := f.OfRun(ctx)
	if err != nil {
		return step.Result{}, err
	}
	if resumed {
		if res, done, err := f.resume(ctx, begun); done || err != nil {
			return res, err
		}
	}
	if f.rel.Unsigned && !resumed {
		return step.Result{}, step.UnsignedError(f.rel.ID, f.Request.Environment)
	}
	if q := f.rel.Quarantined; q != nil {
		return step.Result{}, fault.New(fault.Conflict, "roll back to %s: it is quarantined: %s", f.rel.ID, q.Summary()).
			Hint("choose another release; `slipway releases` lists them")
	}
	if err := f.checkConfiguration(ctx, resumed); err != nil {
		return step.Result{}, err
	}
	if err := f.checkModel(ctx, resumed); err != nil {
		return step.Result{}, err
	}
	if err := f.checkTrusted(ctx, resumed); err != nil {
		return step.Result{}, err
	}
	current, ok, err := f.Current(ctx)
	if err != nil {
		return step.Result{}, err
	}
	if ok {
		f.current = current
	}
	if err := f.findHeld(ctx); err != nil {
		return step.Result{}, err
	}
	obs, err := f.Observe(ctx, f.request.Service)
	if err != nil {
		return step.Result{}, err
	}
	name := f.request.ID
	if ok && !resumed && current.Instance() == name && obs.Release == name && rollout.DownReason(obs, name) == "" {
		return f.AlreadyDeployed(current, obs.URL)
	}
	return f.deploy(ctx, resumed)
}

// restoreConfiguration takes the configuration of the release's last accepted
// deployment in the environment. Only a deployment renders manifests, so a release
// that was never there gets no more than the overrides of its workload.
func (f *forward) restoreConfiguration(ctx context.Context) error {
	f.commit = f.Request.Commit.SHA
	if d, ok, err := f.lastAccepted(ctx); ok || err != nil {
		f.config, f.commit = d.Config, cmp.Or(d.Commit, f.commit)
		return err
	}
	over := f.params.Overrides
	if over.IsZero() {
		return nil
	}
	own := f.rel.Release.Configuration()
	if own.Objects != "" {
		return fault.New(fault.Conflict, "roll back to %s: it was never deployed in %s, which overrides its configuration", f.rel.ID, f.Request.Environment).
			Hint("deploy its commit instead: `slipway run --env %s`", f.Request.Environment)
	}
	own.Workload = over.Apply(own.Workload)
	own.Manifests = own.Workload.Digest()
	if own.Digest() != f.rel.Release.Configuration().Digest() {
		f.config = &own
	}
	return nil
}

func (f forward) lastAccepted(ctx context.Context) (delivery.Deployment, bool, error) {
	there := port.DeploymentFilter{Environment: f.Request.Environment, Release: f.rel.ID}
	for d, err := range port.AllDeployments(ctx, f.Deployments, there) {
		if err != nil {
			return d, false, fmt.Errorf("read the deployment history of %s: %w", f.Request.Environment, err)
		}
		if d.Unsigned && d.Run != f.Request.Run {
			continue // its configuration may be made up
		}
		named := f.params.Instance == "" || d.Instance() == f.params.Instance
		if named && (!d.ServingAt.IsZero() || d.Run == f.Request.Run) {
			return d, true, nil
		}
	}
	return delivery.Deployment{}, false, nil
}

// checkTrusted verifies the release that a person names against the environment's
// trust policy, as for a promotion: a release from before the policy, or signed
// with a key that was withdrawn since, must not come in this way. Once it has
// begun it goes on.
//
// The undo of a deployment is not checked: it returns to what was deployed a
// moment ago and was trusted then; refusing it would leave the failed release in
// place.
func (f forward) checkTrusted(ctx context.Context, resumed bool) error {
	if f.params.Trust == nil || resumed {
		return nil
	}
	f.Request.Progress("checking signatures")
	err := f.trust.Verify(ctx, f.rel, *f.params.Trust)
	if err == nil {
		err = f.trust.VerifyObjects(ctx, f.request.Release, *f.params.Trust)
	}
	if err != nil {
		return fmt.Errorf("roll back to %s: %w", f.rel.ID, err)
	}
	return nil
}

// checkConfiguration refuses the release with a configuration that was rolled back
// here or elsewhere. Once it has begun it goes on.
func (f forward) checkConfiguration(ctx context.Context, resumed bool) error {
	if resumed {
		return nil
	}
	q, err := f.Releases.FindQuarantine(ctx, f.request.Release, delivery.Inputs{})
	if err != nil {
		return fmt.Errorf("look for a quarantine of %s: %w", f.request.ID, err)
	}
	if q != nil {
		return fault.New(fault.Conflict, "roll back to %s: with its configuration here it is quarantined: %s", f.request.ID, q.Summary()).
			Hint("choose another release, or unquarantine this one: `slipway releases unquarantine %s --why REASON`", q.Release)
	}
	return nil
}

// resume continues after a crash, if this run had come further than deploying the
// release.
func (f forward) resume(ctx context.Context, begun delivery.Deployment) (step.Result, bool, error) {
	q := f.rel.Quarantined
	switch {
	case begun.State == delivery.Serving:
		res, err := f.finish(ctx, begun)
		return res, true, err
	case begun.State != delivery.Deploying:
		return step.Fail("roll back to %s in %s: %s", f.rel.ID, f.Request.Environment, begun.Reason), true, nil
	case q != nil && q.Run == f.Request.Run:
		// It failed, and undoing it had begun.
		res, err := f.fail(ctx, errors.New(q.Reason))
		return res, true, err
	}
	return step.Result{}, false, nil
}

func (f forward) deploy(ctx context.Context, resumed bool) (step.Result, error) {
	if err := f.Acquire(ctx, f.request); err != nil {
		return step.Result{}, err
	}
	current := f.current
	if f.held.Release != "" {
		current = f.held
	}
	if !resumed {
		if err := f.CheckPull(ctx, f.request); err != nil {
			return step.Result{}, fault.Prefix("roll back to "+string(f.rel.ID), err)
		}
	}
	var err error
	if f.request.Current, err = f.WayBack(ctx, f.request, current, resumed); err != nil {
		return step.Result{}, err
	}
	begun, err := f.Begin(ctx, f.request.Service, delivery.Deployment{
		Release: f.rel.ID, By: f.Request.StartedBy.String(), Actor: f.Request.StartedBy, Replaced: cmp.Or(f.held.Release, f.current.Release), Reason: f.reason(),
		Commit: f.commit, Config: f.config,
	})
	if err != nil {
		return step.Result{}, err
	}
	f.Request.EmitDeployment(f.rel.ID, "deploying %s to %s: %s", f.rel.ID, f.Request.Environment, f.reason())
	results, err := f.start(ctx)
	if ctx.Err() != nil {
		return step.Result{}, f.stopped(ctx)
	}
	if err != nil {
		res, err := f.fail(ctx, fmt.Errorf("roll back to %s in %s: %w", f.rel.ID, f.Request.Environment, err))
		res.GateResults = results
		return res, err
	}
	if err := f.Deployments.Accept(ctx, begun.ID, f.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s is deployed in %s: %w", f.rel.ID, f.Request.Environment, err)
	}
	res, err := f.finish(ctx, begun)
	res.GateResults = results
	return res, err
}

// findHeld looks for a deployment that is held, and ends by this rollback.
func (f *forward) findHeld(ctx context.Context) error {
	for d, err := range port.AllDeployments(ctx, f.Deployments, port.DeploymentFilter{Environment: f.Request.Environment}) {
		if err != nil {
			return fmt.Errorf("read the deployment history of %s: %w", f.Request.Environment, err)
		}
		if d.Run == f.Request.Run {
			continue
		}
		if d.State == delivery.Held {
			f.held = d
		}
		return nil
	}
	return nil
}

// start promotes the release and checks it at the stable address.
func (f forward) start(ctx context.Context) ([]delivery.GateResult, error) {
	obs, results, err := f.Start(ctx, f.request, f.want, nil)
	if err != nil {
		return results, err
	}
	want := f.want
	want.FailureCheck = f.FailureCheck(f.request)
	more, err := f.Checker().Check(ctx, f.Request, obs.Address(), want)
	return append(results, more.GateResults...), err
}

// reason is who rolled back, and why.
func (f forward) reason() string {
	by := f.Request.StartedBy.String()
	if by == "" {
		by = "an unknown user"
	}
	if f.params.Reason == "" {
		return "rolled back by " + by
	}
	return fmt.Sprintf("rolled back by %s: %s", by, f.params.Reason)
}

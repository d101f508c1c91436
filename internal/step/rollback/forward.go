package rollback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// forward is a rollback that a person asked for. It accepts the release itself
// once it is verified: it served before, and needs no baking.
type forward struct {
	base
	rel     delivery.ReleaseRecord
	want    probe.Expectation
	order   port.DeployRequest
	serving delivery.Deployment // zero when nothing does
}

func (f forward) run(ctx context.Context) (step.Result, error) {
	var err error
	if f.rel, err = f.recorded(ctx, f.w.Release); err != nil {
		return step.Result{}, err
	}
	if f.want, err = probe.ExpectationFor(f.w, f.rel); err != nil {
		return step.Result{}, err
	}
	f.order = probe.RequestFor(f.r, f.w, f.rel)
	own, begun, err := probe.DeploymentOfRun(ctx, f.Deployments, f.r)
	if err != nil {
		return step.Result{}, err
	}
	if begun {
		if res, done, err := f.goOn(ctx, own); done || err != nil {
			return res, err
		}
	}
	if q := f.rel.Quarantined; q != nil {
		return step.Result{}, fault.New(fault.Conflict, "go back to %s: it is quarantined: %s", f.rel.ID, q.Reason).
			Hint("name another release; `slipway releases` lists them")
	}
	if err := f.trusted(ctx, begun); err != nil {
		return step.Result{}, err
	}
	serving, ok, err := f.Deployments.Current(ctx, f.r.Environment)
	if err != nil {
		return step.Result{}, fmt.Errorf("ask what serves in %s: %w", f.r.Environment, err)
	}
	if ok {
		f.serving = serving
	}
	obs, err := f.observe(ctx, f.order.Service)
	if err != nil {
		return step.Result{}, err
	}
	if ok && !begun && serving.Release == f.rel.ID && obs.Release == f.rel.ID && probe.DownReason(obs, f.rel.ID) == "" {
		return step.Succeed(fmt.Sprintf("%s already serves in %s", f.rel.ID, f.r.Environment), step.DeployOutput{
			Release: f.rel.ID, Deployment: serving.ID, URL: obs.URL, AlreadyDeployed: true, Since: serving.ServingAt,
		})
	}
	return f.enter(ctx)
}

// trusted holds what a person names against the environment's policy, as a
// promotion is: a release from before the policy, or signed with a key that was
// withdrawn since, must not come in by this door. Once it has begun it goes on.
//
// The undo of a deployment is not asked: it returns to what served a moment ago
// and was let in then, and to refuse it would leave the failed release in place.
func (f forward) trusted(ctx context.Context, begun bool) error {
	if f.w.Trust == nil || begun {
		return nil
	}
	f.r.Progress("checking signatures")
	if err := f.Trust.Verify(ctx, f.rel.Release, *f.w.Trust); err != nil {
		return fmt.Errorf("go back to %s: %w", f.rel.ID, err)
	}
	return nil
}

// goOn continues after a crash, when this run had come further than to bring the
// release in.
func (f forward) goOn(ctx context.Context, own delivery.Deployment) (step.Result, bool, error) {
	q := f.rel.Quarantined
	switch {
	case own.State == delivery.Serving:
		res, err := f.finish(ctx, own)
		return res, true, err
	case own.State != delivery.Deploying:
		return step.Fail("go back to %s in %s: %s", f.rel.ID, f.r.Environment, own.Reason), true, nil
	case q != nil && q.Run == f.r.Run:
		// It failed, and the way back had begun.
		res, err := f.failed(ctx, errors.New(q.Reason))
		return res, true, err
	}
	return step.Result{}, false, nil
}

func (f forward) enter(ctx context.Context) (step.Result, error) {
	if err := f.records().Acquire(ctx, f.r, f.target, f.order); err != nil {
		return step.Result{}, err
	}
	d, err := f.Deployments.Begin(ctx, delivery.Deployment{
		Environment: f.r.Environment, Release: f.rel.ID, Run: f.r.Run, State: delivery.Deploying,
		By: f.r.StartedBy, Replaced: f.serving.Release, Reason: f.reason(), StartedAt: f.Clock.Now(),
	})
	if err != nil {
		return step.Result{}, fmt.Errorf("record that %s enters %s: %w", f.rel.ID, f.r.Environment, err)
	}
	if d.State != delivery.Deploying {
		return step.Result{}, fault.New(fault.Conflict, "run %s has already brought %s into %s; that deployment is %s",
			f.r.Run, f.rel.ID, f.r.Environment, d.State).Hint("start a new run")
	}
	if err := f.tell(ctx, f.order.Service); err != nil {
		return step.Result{}, err
	}
	f.r.EmitDeployment(f.rel.ID, "%s enters %s: %s", f.rel.ID, f.r.Environment, f.reason())
	answers, err := f.bring(ctx)
	if ctx.Err() != nil {
		return step.Result{}, f.stopped(ctx)
	}
	if err != nil {
		res, err := f.failed(ctx, fmt.Errorf("go back to %s in %s: %w", f.rel.ID, f.r.Environment, err))
		res.GateResults = answers
		return res, err
	}
	if err := f.Deployments.Accept(ctx, d.ID, f.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s serves in %s: %w", f.rel.ID, f.r.Environment, err)
	}
	res, err := f.finish(ctx, d)
	res.GateResults = answers
	return res, err
}

// bring gives it the traffic and asks it at the stable address.
func (f forward) bring(ctx context.Context) ([]delivery.GateResult, error) {
	obs, answers, err := f.probe().Start(ctx, f.r, f.target, f.order, f.want, nil)
	if err != nil {
		return answers, err
	}
	want := f.want
	want.FailureCheck = probe.FailureCheck(f.target, f.order)
	more, err := f.probe().Check(ctx, f.r, obs.Address(), want)
	return append(answers, more...), err
}

// failed leaves the way back to the engine, or goes it when the plan names no
// undo: the environment must not be left in between.
func (f forward) failed(ctx context.Context, why error) (step.Result, error) {
	res := step.FailWith(why)
	if f.r.Spec.Undo != "" {
		return res, nil
	}
	back := f.base
	back.r.Cause, back.r.InfrastructureFailure = res.Cause, res.InfrastructureFailure
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

// backTime is how long the way back may take after the run was stopped.
const backTime = 10 * time.Minute

// stopped takes the release back, under a context of its own, when the run ended
// in the middle and the plan names no undo.
func (f forward) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if f.r.Spec.Undo != "" {
		return cause
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer cancel()
	back := f.base
	back.r.Cause, back.r.Cancelled = cause.Error(), true
	res, err := back.undo(own)
	switch {
	case err != nil:
		return errors.Join(cause, err)
	case res.Outcome == delivery.OutcomeFailed:
		return errors.Join(cause, errors.New(res.Cause))
	}
	return cause
}

// finish quarantines what was left, so that nothing brings it back.
func (f forward) finish(ctx context.Context, d delivery.Deployment) (step.Result, error) {
	if d.Replaced != "" && d.Replaced != f.rel.ID {
		if err := f.quarantine(ctx, d.Replaced, f.reason()); err != nil {
			return step.Result{}, err
		}
	}
	if err := f.tell(ctx, f.order.Service); err != nil {
		return step.Result{}, err
	}
	if err := probe.Finalize(ctx, f.r, f.target, f.order); err != nil {
		return step.Result{}, err
	}
	obs, err := f.observe(ctx, f.order.Service)
	if err != nil {
		return step.Result{}, err
	}
	f.r.EmitDeployment(f.rel.ID, "%s serves in %s again", f.rel.ID, f.r.Environment)
	summary := fmt.Sprintf("%s serves in %s again", f.rel.ID, f.r.Environment)
	if d.Replaced != "" && d.Replaced != f.rel.ID {
		summary += fmt.Sprintf(", instead of %s, which is quarantined", d.Replaced)
	}
	return step.Succeed(summary, step.DeployOutput{Release: f.rel.ID, Deployment: d.ID, URL: obs.URL, Since: f.Clock.Now()})
}

// reason is who rolled back, and why.
func (f forward) reason() string {
	by := f.r.StartedBy
	if by == "" {
		by = "somebody"
	}
	if f.w.Reason == "" {
		return "rolled back by " + by
	}
	return fmt.Sprintf("rolled back by %s: %s", by, f.w.Reason)
}

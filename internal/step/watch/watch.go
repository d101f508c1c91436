// Package watch lets a release bake: users use it, and it is accepted only if
// they fare well. A threshold that is breached ends the watch at once.
package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// How often is looked: a tenth of the bake time within these bounds.
const (
	soonest = 100 * time.Millisecond
	latest  = 2 * time.Second
	// patience is how many looks in a row may fail before the watch can't go on.
	patience = 5
)

// Step watches.
type Step struct {
	Targets     probe.Targets
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Models      port.ModelRegistry
	Clock       step.Clock
}

// Run watches from the moment the release got the traffic (also after a restart)
// for With.Bake, and then accepts the deployment. Its output is step.DeployOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.DeployParams](r)
	if err != nil {
		return step.Result{}, err
	}
	if n := w.Watch.NoTraffic; n != "" && n != "accept" && n != "fail" {
		return step.Result{}, fault.New(fault.Invalid, "step %s: no_traffic is %q", r.Spec.Name, n).Hint("known: accept, fail")
	}
	target, err := s.Targets.Find(w.Target, w.Location)
	if err != nil {
		return step.Result{}, err
	}
	d, ok, err := step.OutputOf[step.DeployOutput](r.Inputs, step.Deploy)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		if d, ok, err = step.OutputOf[step.DeployOutput](r.Inputs, step.Rollback); err != nil {
			return step.Result{}, err
		}
	}
	if !ok {
		return step.Result{}, fault.New(fault.Internal, "watch: no deploy step ran before it")
	}
	b := bake{Step: s, r: r, w: w, target: target, d: d}
	return b.run(ctx)
}

// bake is one watch.
type bake struct {
	Step
	r      step.Request
	w      step.DeployParams
	target port.Target
	d      step.DeployOutput

	order   port.DeployRequest
	service string
	failed  int // looks in a row that did not succeed
}

func (b *bake) run(ctx context.Context) (step.Result, error) {
	rel, err := b.Releases.Get(ctx, b.d.Release)
	if err != nil {
		return step.Result{}, fmt.Errorf("read release %s: %w", b.d.Release, err)
	}
	b.order = probe.RequestFor(b.r, b.w, rel)
	b.service = b.order.Service
	serving, ok, err := b.Deployments.Current(ctx, b.r.Environment)
	if err != nil {
		return step.Result{}, fmt.Errorf("ask what serves in %s: %w", b.r.Environment, err)
	}
	if ok && serving.ID == b.d.Deployment {
		return b.accepted(ctx)
	}
	answers, trouble, err := b.watch(ctx)
	if err != nil {
		return step.Result{}, err
	}
	b.r.ReportGates(answers...)
	if trouble != "" {
		res := step.Fail("watch %s in %s: %s", b.d.Release, b.r.Environment, trouble)
		res.GateResults = answers
		return res, nil
	}
	return b.accept(ctx, answers)
}

// accepted is the end for what is in the records already: it was there before
// this run, or was accepted before a crash. Whether it still has the traffic is
// looked at all the same.
func (b *bake) accepted(ctx context.Context) (step.Result, error) {
	obs, err := b.target.Observe(ctx, b.service, b.r.Environment)
	if err != nil {
		return step.Result{}, fmt.Errorf("look at %s: %w", b.r.Environment, err)
	}
	if obs.Release != b.d.Release {
		return step.Fail("watch %s in %s: the traffic goes to %s", b.d.Release, b.r.Environment, probe.DisplayName(obs.Release)), nil
	}
	if err := b.settle(ctx); err != nil {
		return step.Result{}, err
	}
	return step.Succeed(fmt.Sprintf("%s serves in %s", b.d.Release, b.r.Environment), b.d)
}

// settle tells the target that the release stays.
func (b *bake) settle(ctx context.Context) error {
	if err := (probe.Records{Deployments: b.Deployments, Releases: b.Releases, Models: b.Models}).Publish(ctx, b.target, b.service, b.r.Environment); err != nil {
		return err
	}
	return probe.Finalize(ctx, b.r, b.target, b.order)
}

func (b *bake) accept(ctx context.Context, answers []delivery.GateResult) (step.Result, error) {
	if err := b.Deployments.Accept(ctx, b.d.Deployment, b.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s serves in %s: %w", b.d.Release, b.r.Environment, err)
	}
	if err := b.settle(ctx); err != nil {
		return step.Result{}, err
	}
	b.r.EmitDeployment(b.d.Release, "%s serves in %s", b.d.Release, b.r.Environment)
	summary := fmt.Sprintf("%s serves in %s", b.d.Release, b.r.Environment)
	for _, a := range answers {
		summary += "; " + a.Evidence
	}
	res, err := step.Succeed(summary, b.d)
	res.GateResults = answers
	return res, err
}

// watch looks until the bake time is over or something is wrong. A look that
// could not be taken is no good news: too many in a row, or the last one, fail.
func (b *bake) watch(ctx context.Context) ([]delivery.GateResult, string, error) {
	end := b.d.Since.Add(b.w.Bake.D())
	every := min(max(b.w.Bake.D()/10, soonest), latest)
	for {
		left := end.Sub(b.Clock.Now())
		v := b.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, "", context.Cause(ctx)
		case v.unasked && (b.failed < patience):
			// Again, also when the time is over: nothing is known yet.
		case v.trouble != "":
			return v.answers, v.trouble, nil
		case left <= 0:
			return v.conclude()
		}
		b.r.Progress("baking, %s left: %s", max(left, 0).Round(time.Second), v.progress)
		wait := every
		if left > 0 {
			wait = min(every, left)
		}
		if err := b.Clock.Wait(ctx, wait); err != nil {
			return nil, "", err
		}
	}
}

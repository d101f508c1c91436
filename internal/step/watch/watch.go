// Package watch lets a release bake: users use it, and it is accepted only if
// its traffic stays within the thresholds. A breach ends the watch at once.
package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/alarm"
	"github.com/slipway-cd/slipway/internal/step/bake"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// Step watches.
type Step struct{ rollout.Services }

// Run watches from the moment the release got the traffic (also after a restart)
// for Params.Bake, and then accepts the deployment. Its output is
// step.DeployOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	params, session, err := rollout.Open[step.WatchParams](s.Services, r)
	if err != nil {
		return step.Result{}, err
	}
	if p := params.Thresholds.NoTraffic; !p.Valid() {
		return step.Result{}, fault.New(fault.Invalid, "step %s: invalid no_traffic %q", r.Spec.Name, p).Hint("use accept or fail")
	}
	deployed, ok, err := rollout.Deployed(r)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		return step.Result{}, fault.New(fault.Internal, "watch: the plan has no deploy step before it")
	}
	rel, err := session.Recorded(ctx, deployed.Release)
	if err != nil {
		return step.Result{}, err
	}
	config, err := session.ConfigurationOf(ctx, deployed.Deployment)
	if err != nil {
		return step.Result{}, err
	}
	w := watch{replicas: newStability(deployed.Since), Session: session, params: params, deployed: deployed, request: session.RequestFor(rel, config)}
	verified, _, err := step.OutputOf[step.DeployOutput](r.Inputs, step.Verify)
	if err != nil {
		return step.Result{}, err
	}
	w.provedBy = verified.Identity
	if w.alarms, err = alarm.New(s.Monitors, params.Alarms, r, s.Clock); err != nil {
		return step.Result{}, err
	}
	if w.probes, err = alarm.NewProbes(s.Monitors, s.Prober, params.Alarms, r, s.Clock); err != nil {
		return step.Result{}, err
	}
	return w.run(ctx)
}

// watch is one bake time of one deployment.
type watch struct {
	rollout.Session
	params   step.WatchParams
	deployed step.DeployOutput
	request  port.DeployRequest
	provedBy port.ProofMethod // how the release was verified; empty: the service names it
	replicas stability
	alarms   *alarm.Guard  // nil: the environment has none
	probes   *alarm.Probes // nil: none are sent

	modelSeen bool // the registry has the release's model
}

func (w *watch) run(ctx context.Context) (step.Result, error) {
	current, ok, err := w.Current(ctx)
	if err != nil {
		return step.Result{}, err
	}
	if ok && current.ID == w.deployed.Deployment {
		return w.alreadyAccepted(ctx)
	}
	if ok {
		w.WarnWayBack(ctx, current)
	}
	o, err := w.bake(ctx)
	if err != nil {
		return step.Result{}, err
	}
	w.Request.ReportGates(o.results...)
	if o.failure != "" {
		res := step.Fail("%s", o.failure)
		res.GateResults, res.InfrastructureFailure, res.Hint = o.results, o.blameless, o.hint
		return res, nil
	}
	return w.accept(ctx, o.results)
}

// alreadyAccepted is the end for a deployment that the records have accepted: it
// was there before this run, or was accepted before a crash. It still has to
// receive the traffic.
func (w *watch) alreadyAccepted(ctx context.Context) (step.Result, error) {
	obs, err := w.Observe(ctx, w.request.Service)
	if err != nil {
		return step.Result{}, err
	}
	if obs.Release != w.request.ID {
		return step.Fail("watch %s in %s: the traffic goes to %s", w.deployed.Release, w.Request.Environment, rollout.DisplayName(obs.Release)), nil
	}
	if err := w.finalize(ctx); err != nil {
		return step.Result{}, err
	}
	return step.Succeed(w.summary(nil), w.deployed)
}

// finalize makes the release final on the target.
func (w *watch) finalize(ctx context.Context) error {
	if err := w.PublishAccepted(ctx, w.request.Service); err != nil {
		return err
	}
	w.ShowAccepted(ctx, w.deployed.Release)
	return w.Finalize(ctx, w.request)
}

func (w *watch) accept(ctx context.Context, results []delivery.GateResult) (step.Result, error) {
	release, env := w.deployed.Release, w.Request.Environment
	if err := w.Deployments.Accept(ctx, w.deployed.Deployment, w.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s is deployed in %s: %w", release, env, err)
	}
	if err := w.finalize(ctx); err != nil {
		return step.Result{}, err
	}
	w.Request.EmitDeployment(release, "%s", w.summary(nil))
	res, err := step.Succeed(w.summary(results), w.deployed)
	res.GateResults = results
	return res, err
}

func (w *watch) summary(results []delivery.GateResult) string {
	s := fmt.Sprintf("%s is deployed in %s", w.deployed.Release, w.Request.Environment)
	for _, r := range results {
		s += "; " + r.Evidence
	}
	return s
}

// bake observes the release until the bake time is over or something is wrong. An
// observation that failed is not good news: too many in a row fail the watch.
func (w *watch) bake(ctx context.Context) (observation, error) {
	var last observation
	b := bake.Bake{
		Clock: w.Clock, Start: w.deployed.Since, Duration: w.params.Bake.D(),
		Progress: func(left time.Duration, text string) { w.Request.Progress("baking, %s left: %s", left, text) },
	}
	err := b.Run(ctx, func(ctx context.Context, final bool) (bake.Observation, error) {
		var err error
		last, err = w.observe(ctx, final)
		if err == nil {
			err = w.observeModel(ctx, &last, final)
		}
		if final && last.failure == "" && !last.extend {
			last.failure = last.noTraffic
			if last.failure != "" {
				last.hint = cmp.Or(last.hint, "send requests while it bakes, or accept a release without them: deploy.watch.no_traffic: accept")
			}
		}
		return bake.Observation{Done: last.failure != "", Extend: last.extend, Progress: last.progress}, err
	})
	if failed := (*bake.FailedError)(nil); errors.As(err, &failed) {
		return unavailable(last.gate, failed), nil
	}
	return last, err
}

// Package deploy brings a release into an environment. Users reach it only after
// it has passed its checks. It is not accepted here: verify and watch decide, and
// the rollback undoes whatever was begun.
package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/alarm"
	"github.com/slipway-cd/slipway/internal/step/canary"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Step deploys.
type Step struct {
	rollout.Services
	ModelImages port.ModelImagePacker // nil: targets that need one can't be used
	Metrics     port.MetricsProvider  // for canaries; nil: queries are fault.Internal
	Trust       trust.Verifier        // for environments that require signatures
	Approvals   port.ApprovalStore    // of runs that were overtaken
}

// Run deploys the recorded release Params.Release, or the one that the steps
// before it made. Its output is step.DeployOutput. A quarantined release is
// fault.Conflict, as is a run that was overtaken while it waited; a release with an
// unapproved model, or that the environment does not trust, is fault.Denied; then
// nothing has been changed.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	params, session, err := rollout.Open[step.DeployParams](s.Services, r)
	if err != nil {
		return step.Result{}, err
	}
	d := deployment{Session: session, step: s, params: params}
	secrets, err := d.prepare(ctx)
	if err != nil {
		return step.Result{}, err
	}
	d.request = session.RequestFor(d.rel, d.config)
	d.request.Secrets = secrets
	if d.want, err = session.Expect(params.ProbeParams, d.request); err != nil {
		return step.Result{}, err
	}
	if res, done, err := d.alreadyDeployed(ctx); done || err != nil {
		return res, err
	}
	if err := d.checkOrder(ctx); err != nil {
		return step.Result{}, err
	}
	if d.alarms, err = alarm.New(s.Monitors, params.Alarms, r, s.Clock); err != nil {
		return step.Result{}, err
	}
	return d.run(ctx)
}

// deployment is one release on its way in.
type deployment struct {
	rollout.Session
	step    Step
	params  step.DeployParams
	rel     delivery.ReleaseRecord
	config  *delivery.Configuration // as the environment overrides it; nil: the release's own
	packed  []delivery.Digest       // images that models were packed as
	want    probe.Expectation
	request port.DeployRequest
	alarms  *alarm.Guard // nil: the environment has none

	current  delivery.Deployment // the accepted one, zero if there is none
	observed port.Observation    // before anything was changed
	drift    []port.Drift        // of what is live from the release, which is the current one already
}

// alreadyDeployed ends the step if records and target agree that the release is
// the current one, unless this run has begun to deploy it.
func (d *deployment) alreadyDeployed(ctx context.Context) (step.Result, bool, error) {
	current, ok, err := d.Current(ctx)
	if err != nil {
		return step.Result{}, false, err
	}
	if ok {
		d.current = current
	}
	if d.observed, err = d.Observe(ctx, d.request.Service); err != nil {
		return step.Result{}, false, err
	}
	name := d.request.ID
	if ok && current.Collides(d.rel.ID, d.config) {
		return step.Result{}, false, fault.New(fault.Conflict, "deploy %s: another configuration of the release has this name, and is deployed in %s", name, d.Request.Environment).
			Hint("change any value of the environment's configuration: the name is of 24 bits of it")
	}
	if !ok || current.Instance() != name || d.observed.Release != name || rollout.DownReason(d.observed, name) != "" {
		return step.Result{}, false, nil
	}
	begun, ok, err := d.OfRun(ctx)
	if err != nil || ok && begun.State == delivery.Deploying {
		return step.Result{}, false, err
	}
	if d.drift, err = d.Drift(ctx, d.request); err != nil || len(d.drift) > 0 {
		for _, found := range d.drift {
			d.Request.Logf("repairing: %s", found)
		}
		return step.Result{}, false, err
	}
	res, err := d.AlreadyDeployed(current, d.observed.URL)
	return res, true, err
}

func (d *deployment) run(ctx context.Context) (step.Result, error) {
	if err := d.askAlarms(ctx); err != nil {
		return step.Result{}, err
	}
	if err := d.Acquire(ctx, d.request); err != nil {
		return step.Result{}, err
	}
	if err := d.importExisting(ctx); err != nil {
		return step.Result{}, err
	}
	if err := d.findWayBack(ctx); err != nil {
		return step.Result{}, err
	}
	begun, err := d.begin(ctx)
	if err != nil {
		return step.Result{}, err
	}
	var obs port.Observation
	var results []delivery.GateResult
	alarmed, err := d.alarms.During(ctx, func(ctx context.Context) (err error) {
		obs, results, err = d.Start(ctx, d.request, d.want, d.canary())
		return err
	})
	results = append(results, alarmed...)
	if ctx.Err() != nil {
		return step.Result{}, context.Cause(ctx)
	}
	if err != nil {
		res := step.FailWith(err)
		res.GateResults = results
		res.Output, err = json.Marshal(step.DeployOutput{Release: d.rel.ID, Deployment: begun.ID})
		return res, err
	}
	d.Request.EmitDeployment(d.rel.ID, "%s receives the traffic of %s; verifying", d.rel.ID, d.Request.Environment)
	for _, note := range obs.Notes {
		d.Request.Logf("%s", note)
	}
	summary := d.summary()
	if obs.Unreachable != "" {
		summary += "; users can't reach it: " + obs.Unreachable
	}
	res, err := step.Succeed(summary, step.DeployOutput{Release: d.rel.ID, Deployment: begun.ID, URL: obs.URL, Since: d.since(begun)})
	res.GateResults = results
	return res, err
}

// askAlarms requires that no alarm is raised, unless this run has begun to deploy: then
// the release may be why.
func (d *deployment) askAlarms(ctx context.Context) error {
	begun, ok, err := d.OfRun(ctx)
	if err != nil || ok && begun.State == delivery.Deploying {
		return err
	}
	return d.alarms.Before(ctx, d.current.Release != "")
}

// importExisting makes what serves without a record the current release: the one that
// a rollback of this deployment returns to.
func (d *deployment) importExisting(ctx context.Context) error {
	if d.observed.Release != "" {
		return nil
	}
	existing, ok, err := d.ImportExisting(ctx, d.request)
	if err != nil || !ok {
		return err
	}
	d.current = existing
	d.observed, err = d.Observe(ctx, d.request.Service)
	return err
}

// findWayBack finds what a failure returns to.
func (d *deployment) findWayBack(ctx context.Context) error {
	begun, ok, err := d.OfRun(ctx)
	if err != nil {
		return err
	}
	resumed := ok && begun.State == delivery.Deploying
	if !resumed && d.current.Instance() != d.request.ID {
		if err := d.RequireWayBack(ctx, d.current); err != nil {
			return err
		}
	}
	d.request.Current, err = d.WayBack(ctx, d.request, d.current, resumed)
	return err
}

// since is when the release got the traffic: after a crash maybe long ago.
func (d *deployment) since(begun delivery.Deployment) time.Time {
	if d.observed.Release == d.request.ID && !begun.StartedAt.IsZero() {
		return begun.StartedAt
	}
	return d.Clock.Now()
}

func (d *deployment) summary() string {
	s := fmt.Sprintf("%s in %s", d.rel.ID, d.Request.Environment)
	if d.current.Release != "" {
		s += ", replacing " + string(d.current.Release)
	}
	return s
}

// begin records the deployment.
func (d *deployment) begin(ctx context.Context) (delivery.Deployment, error) {
	by, actor, err := d.approvedBy()
	if err != nil {
		return delivery.Deployment{}, err
	}
	begun, err := d.Begin(ctx, d.request.Service, delivery.Deployment{
		Release: d.rel.ID, By: by, Actor: actor, Replaced: d.current.Release, Reason: d.reason(),
		Commit: d.Request.Commit.SHA, Config: d.config, Inputs: d.inputs(),
	})
	if err != nil {
		return begun, err
	}
	d.Request.EmitDeployment(d.rel.ID, "deploying %s to %s", d.rel.ID, d.Request.Environment)
	d.ShowStage(ctx, d.rel.ID, delivery.Deploying, "")
	return begun, nil
}

// canary analyzes the release while it receives a part of the traffic, if that is
// the strategy; nil otherwise.
func (d *deployment) canary() rollout.CanaryFunc {
	if d.params.Strategy != delivery.Canary || d.params.Canary == nil {
		return nil
	}
	return func(ctx context.Context) ([]delivery.GateResult, error) {
		r := canary.Runner{Metrics: d.step.Metrics, Clock: d.Clock, Namespace: namespaceOf(d.Target)}
		return r.Run(ctx, d.Request, d.Target, d.request, d.observed.Release, *d.params.Canary)
	}
}

// namespaceOf is what canary queries get as {{.Namespace}}.
func namespaceOf(t port.Target) string {
	if n, ok := t.(port.NamespaceReporter); ok {
		return n.Namespace()
	}
	return ""
}

// approvedBy names those who approved the deployment, or else whoever started the
// run.
func (d *deployment) approvedBy() (names string, one delivery.Actor, err error) {
	var people []string
	var actors []delivery.Actor
	for _, name := range step.NamesOf(d.Request.Inputs, step.Approve) {
		a, _, err := step.DecodeOutput[step.ApproveOutput](d.Request.Inputs, name)
		if err != nil {
			return "", one, err
		}
		people, actors = append(people, a.By...), append(actors, a.Actors...)
	}
	if len(people) == 0 {
		return d.Request.StartedBy.String(), d.Request.StartedBy, nil
	}
	if len(people) == 1 && len(actors) == 1 {
		one = actors[0]
	}
	return strings.Join(people, ", "), one, nil
}

func (d *deployment) reason() string {
	if len(d.drift) > 0 {
		return rollout.RepairReason + d.drift[0].String()
	}
	if d.params.Release != "" {
		return "promotion of " + string(d.params.Release)
	}
	return "commit " + d.Request.Commit.Short()
}

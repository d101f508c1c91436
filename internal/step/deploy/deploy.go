// Package deploy brings a release into an environment. Users meet it only after
// it has answered for itself, and it is not accepted here: verify and watch
// decide, and the rollback takes back whatever was begun.
package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/canary"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Step deploys.
type Step struct {
	Targets     probe.Targets
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Models      port.ModelRegistry
	ModelImages port.ModelImagePacker // nil: targets that want one can't be used
	Metrics     port.MetricsProvider  // for canaries; nil: none can be asked
	Prober      port.Prober
	Trust       trust.Verifier // for environments that demand signatures
	Clock       step.Clock
}

// Run deploys the recorded release With.Release, or the one that the steps
// before it made. Its output is step.DeployOutput. A quarantined release is
// fault.Conflict, one with a model that nobody approved, or that the environment
// does not trust, is fault.Denied; then nothing was begun.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.DeployParams](r)
	if err != nil {
		return step.Result{}, err
	}
	target, err := s.Targets.Find(w.Target, w.Location)
	if err != nil {
		return step.Result{}, err
	}
	rel, secrets, err := s.release(ctx, r, w, target)
	if err != nil {
		return step.Result{}, err
	}
	want, err := probe.ExpectationFor(w, rel)
	if err != nil {
		return step.Result{}, err
	}
	e := entry{Step: s, r: r, w: w, target: target, rel: rel, want: want, order: probe.RequestFor(r, w, rel)}
	e.order.Secrets = secrets
	if res, done, err := e.already(ctx); done || err != nil {
		return res, err
	}
	return e.enter(ctx)
}

// entry is one release on its way in.
type entry struct {
	Step
	r      step.Request
	w      step.DeployParams
	target port.Target
	rel    delivery.ReleaseRecord
	want   probe.Expectation
	order  port.DeployRequest

	before delivery.Deployment // accepted, zero when nothing serves
	seen   port.Observation
}

// already is the end when records and target agree that the release serves, and
// this run did not begin to bring it in.
func (e *entry) already(ctx context.Context) (step.Result, bool, error) {
	serving, ok, err := e.Deployments.Current(ctx, e.r.Environment)
	if err != nil {
		return step.Result{}, false, fmt.Errorf("ask what serves in %s: %w", e.r.Environment, err)
	}
	if ok {
		e.before = serving
	}
	if e.seen, err = e.target.Observe(ctx, e.order.Service, e.r.Environment); err != nil {
		return step.Result{}, false, fmt.Errorf("look at %s: %w", e.r.Environment, err)
	}
	if !ok || serving.Release != e.rel.ID || e.seen.Release != e.rel.ID || probe.DownReason(e.seen, e.rel.ID) != "" {
		return step.Result{}, false, nil
	}
	own, begun, err := probe.DeploymentOfRun(ctx, e.Deployments, e.r)
	if err != nil || begun && own.State == delivery.Deploying {
		return step.Result{}, false, err
	}
	res, err := step.Succeed(fmt.Sprintf("%s already serves in %s", e.rel.ID, e.r.Environment), step.DeployOutput{
		Release: e.rel.ID, Deployment: serving.ID, URL: e.seen.URL, AlreadyDeployed: true, Since: serving.ServingAt,
	})
	return res, true, err
}

func (e *entry) enter(ctx context.Context) (step.Result, error) {
	if err := e.records().Acquire(ctx, e.r, e.target, e.order); err != nil {
		return step.Result{}, err
	}
	d, err := e.begin(ctx)
	if err != nil {
		return step.Result{}, err
	}
	obs, answers, err := probe.Checker{Prober: e.Prober, Clock: e.Clock}.Start(ctx, e.r, e.target, e.order, e.want, e.taste())
	if ctx.Err() != nil {
		return step.Result{}, context.Cause(ctx)
	}
	if err != nil {
		res := step.FailWith(fmt.Errorf("deploy %s to %s: %w", e.rel.ID, e.r.Environment, err))
		res.GateResults = answers
		res.Output, err = json.Marshal(step.DeployOutput{Release: e.rel.ID, Deployment: d.ID})
		return res, err
	}
	// After a crash it may have the traffic for long; else from now on.
	since := e.Clock.Now()
	if e.seen.Release == e.rel.ID && !d.StartedAt.IsZero() {
		since = d.StartedAt
	}
	e.r.EmitDeployment(e.rel.ID, "%s has the traffic of %s, and is being verified", e.rel.ID, e.r.Environment)
	for _, note := range obs.Notes {
		e.r.Logf("%s", note)
	}
	res, err := step.Succeed(e.summary(), step.DeployOutput{Release: e.rel.ID, Deployment: d.ID, URL: obs.URL, Since: since})
	res.GateResults = answers
	return res, err
}

func (e *entry) summary() string {
	s := fmt.Sprintf("%s in %s", e.rel.ID, e.r.Environment)
	if e.before.Release != "" {
		s += ", instead of " + string(e.before.Release)
	}
	return s
}

// begin enters the deployment into the records. Once one has ended it does not
// begin again under the same run.
func (e *entry) begin(ctx context.Context) (delivery.Deployment, error) {
	by, err := e.by()
	if err != nil {
		return delivery.Deployment{}, err
	}
	d, err := e.Deployments.Begin(ctx, delivery.Deployment{
		Environment: e.r.Environment, Release: e.rel.ID, Run: e.r.Run, State: delivery.Deploying,
		By: by, Replaced: e.before.Release, Reason: e.reason(), StartedAt: e.Clock.Now(),
	})
	if err != nil {
		return d, fmt.Errorf("record that %s enters %s: %w", e.rel.ID, e.r.Environment, err)
	}
	if d.State != delivery.Deploying {
		return d, fault.New(fault.Conflict, "run %s has already brought %s into %s; that deployment is %s",
			e.r.Run, e.rel.ID, e.r.Environment, d.State).Hint("start a new run")
	}
	e.r.EmitDeployment(e.rel.ID, "%s enters %s", e.rel.ID, e.r.Environment)
	return d, e.records().Publish(ctx, e.target, e.order.Service, e.r.Environment)
}

func (e *entry) records() probe.Records {
	return probe.Records{Deployments: e.Deployments, Releases: e.Releases, Models: e.Models}
}

// taste is the canary's way in, where there is something to compare it with.
func (e *entry) taste() probe.CanaryFunc {
	if e.w.Strategy != delivery.Canary || e.w.Canary == nil {
		return nil
	}
	return func(ctx context.Context) ([]delivery.GateResult, error) {
		c := canary.Runner{Metrics: e.Metrics, Clock: e.Clock, Namespace: namespaceOf(e.target)}
		return c.Run(ctx, e.r, e.target, e.order, e.seen.Release, *e.w.Canary)
	}
}

// namespaceOf is what canary queries get as {{.Namespace}}.
func namespaceOf(t port.Target) string {
	if n, ok := t.(port.NamespaceReporter); ok {
		return n.Namespace()
	}
	return ""
}

// by is who let it in: those who approved, or whoever started the run.
func (e *entry) by() (string, error) {
	var people []string
	for _, name := range step.NamesOf(e.r.Inputs, step.Approve) {
		a, _, err := step.DecodeOutput[step.ApproveOutput](e.r.Inputs, name)
		if err != nil {
			return "", err
		}
		people = append(people, a.By...)
	}
	if len(people) == 0 {
		return e.r.StartedBy, nil
	}
	return strings.Join(people, ", "), nil
}

func (e *entry) reason() string {
	if e.w.Release != "" {
		return "promotion of " + string(e.w.Release)
	}
	return "commit " + e.r.Commit.Short()
}

// Package rollout is what deploy, verify, watch and rollback share: the target
// that a step works on, bringing a release in, and finalizing an accepted one.
package rollout

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/history"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// Services are the ports that steps on a target need.
type Services struct {
	Targets     port.Targets
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Models      port.ModelRegistry // nil: the stored history has no models
	Log         port.RecordLog     // that the records are in; nil: they are those of this machine
	Prober      port.Prober
	Images      port.ImageStore             // of which it is asked whether a way back can be pulled; nil: that is not checked
	LookupEnv   func(string) (string, bool) // variables in the headers of smoke checks; nil: os.LookupEnv
	Clock       step.Clock
	Monitors    step.Monitors // nil: plans with alarms can't be run
}

// Session is one request to a step, bound to its target.
type Session struct {
	Services
	Request step.Request
	Rollout step.RolloutParams
	Target  port.Target
}

// Open decodes the parameters of a step and finds its target.
func Open[P interface{ Rollout() step.RolloutParams }](s Services, r step.Request) (P, Session, error) {
	params, err := step.ParamsOf[P](r.Spec)
	if err != nil {
		return params, Session{}, err
	}
	at := params.Rollout()
	target, err := s.Targets.Find(at.Target, at.Location)
	return params, Session{Services: s, Request: r, Rollout: at, Target: target}, err
}

// RequestFor asks the target for a recorded release with a configuration; nil: the
// release's own.
func (s Session) RequestFor(rel delivery.ReleaseRecord, config *delivery.Configuration) port.DeployRequest {
	service := rel.Release.Service
	if service == "" {
		service = s.Request.Service
	}
	return port.DeployRequest{
		Service: service, Environment: s.Request.Environment, ID: rel.ID.With(config), Release: rel.Release.WithConfiguration(config), Run: s.Request.Run,
		Port: s.Rollout.Port, ReadyTimeout: s.Rollout.Timeout, Strategy: s.Rollout.Strategy,
	}
}

// Recorded reads a release from the records.
func (s Session) Recorded(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	rel, err := s.Releases.Get(ctx, id)
	if err != nil {
		return rel, fmt.Errorf("read release %s: %w", id, err)
	}
	return rel, nil
}

// Current returns the environment's accepted deployment; ok is false without one.
func (s Session) Current(ctx context.Context) (d delivery.Deployment, ok bool, err error) {
	if d, ok, err = s.Deployments.Current(ctx, s.Request.Environment); err != nil {
		return d, false, fmt.Errorf("read the current deployment of %s: %w", s.Request.Environment, err)
	}
	return d, ok, nil
}

// OfRun returns the deployment that this run began, if it began one.
func (s Session) OfRun(ctx context.Context) (d delivery.Deployment, ok bool, err error) {
	return history.DeploymentOfRun(ctx, s.Deployments, s.Request)
}

// ConfigurationOf returns the configuration of a deployment that this run began or
// found; nil: the release's own.
func (s Session) ConfigurationOf(ctx context.Context, deployment int64) (*delivery.Configuration, error) {
	for _, find := range []func(context.Context) (delivery.Deployment, bool, error){s.OfRun, s.Current} {
		if d, ok, err := find(ctx); err != nil || ok && d.ID == deployment {
			return d.Config, err
		}
	}
	return nil, nil //nolint:nilnil // the release's own
}

// Observe returns the state of the service on the target.
func (s Session) Observe(ctx context.Context, service string) (port.Observation, error) {
	obs, err := s.Target.Observe(ctx, service, s.Request.Environment)
	if err != nil {
		return obs, fmt.Errorf("observe %s: %w", s.Request.Environment, err)
	}
	return obs, nil
}

// RepairReason begins the reason of a deployment that repairs what is deployed; the
// difference follows.
const RepairReason = "repair: "

// Drift returns how what is live differs from the request's release, which is the
// accepted one; none where the target cannot compare.
func (s Session) Drift(ctx context.Context, o port.DeployRequest) ([]port.Drift, error) {
	reporter, ok := s.Target.(port.DriftReporter)
	if !ok {
		return nil, nil
	}
	found, err := reporter.Drift(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("compare %s with its record: %w", o.Environment, err)
	}
	return found, nil
}

// Checker returns what checks the service's responses.
func (s Session) Checker() probe.Checker { return probe.Checker{Prober: s.Prober, Clock: s.Clock} }

// Expect returns what the requested release has to respond.
func (s Session) Expect(p step.ProbeParams, o port.DeployRequest) (probe.Expectation, error) {
	want, err := probe.ExpectationFor(p, s.Rollout.Timeout.D(), o.ID, o.Release, s.LookupEnv)
	want.Identify, want.ModelUse = s.Identifier(o), s.modelUse(o)
	return want, err
}

// modelUse returns a function that observes whether the release has opened its model:
// one replica is enough, as not all of them need to have got a request.
func (s Session) modelUse(o port.DeployRequest) func(ctx context.Context) (port.ModelUse, string) {
	if _, ok := s.Target.(port.ModelObserver); !ok {
		return nil
	}
	return func(ctx context.Context) (port.ModelUse, string) {
		obs, err := s.Target.Observe(ctx, o.Service, o.Environment)
		if err != nil {
			return port.ModelUseUnknown, ""
		}
		return ModelUseOf(obs, o.ID)
	}
}

// Identifier returns a function by which the target proves which release responds at
// an address, or nil if it can't. A proof that could not be made is no verdict on the
// release.
func (s Session) Identifier(o port.DeployRequest) func(ctx context.Context, url string) (port.Proof, error) {
	target, ok := s.Target.(port.Identifier)
	if !ok {
		return nil
	}
	return func(ctx context.Context, url string) (port.Proof, error) {
		proof, err := target.Identify(ctx, o, url)
		return proof, fault.AsInfrastructure(err)
	}
}

// Publish stores the environment's history in a target that keeps one.
func (s Session) Publish(ctx context.Context, service string) error {
	return s.records().Publish(ctx, s.Target, service, s.Request.Environment)
}

// PublishAccepted is Publish once a deployment was accepted: from then on, the
// environment belongs to the log that the records are in.
func (s Session) PublishAccepted(ctx context.Context, service string) error {
	return s.records().PublishAccepted(ctx, s.Target, service, s.Request.Environment)
}

// ImportExisting makes what serves in place of the requested release, and was not
// deployed by a run, the environment's current release; ok is false if there is nothing
// like that. The request must have acquired the environment.
func (s Session) ImportExisting(ctx context.Context, o port.DeployRequest) (d delivery.Deployment, ok bool, err error) {
	return s.records().Import(ctx, s.Target, o, s.Request.StartedBy, s.Clock.Now(), s.Request.Report)
}

func (s Session) records() history.Records {
	return history.Records{Deployments: s.Deployments, Releases: s.Releases, Models: s.Models, Log: s.Log}
}

// AlreadyDeployed is the result if the release is the accepted one, and nothing
// has to be changed.
func (s Session) AlreadyDeployed(d delivery.Deployment, url string) (step.Result, error) {
	return step.Succeed(fmt.Sprintf("%s is already deployed in %s", d.Release, s.Request.Environment), step.DeployOutput{
		Release: d.Release, Deployment: d.ID, URL: url, AlreadyDeployed: true, Since: d.ServingAt,
	})
}

// Begin records that the deployment begins, and publishes it. One that has ended
// does not begin again under the same run: fault.Conflict.
func (s Session) Begin(ctx context.Context, service string, d delivery.Deployment) (delivery.Deployment, error) {
	r := s.Request
	d.Environment, d.Run, d.State, d.StartedAt = r.Environment, r.Run, delivery.Deploying, s.Clock.Now()
	begun, err := s.Deployments.Begin(ctx, d)
	if err != nil {
		return begun, fmt.Errorf("record the deployment of %s to %s: %w", d.Release, r.Environment, err)
	}
	if begun.State != delivery.Deploying {
		return begun, fault.New(fault.Conflict, "run %s has already deployed %s to %s; that deployment is %s",
			r.Run, d.Release, r.Environment, begun.State).Hint("start a new run")
	}
	return begun, s.Publish(ctx, service)
}

// Deployed returns what a step before this one has deployed, or rolled back to.
func Deployed(r step.Request) (d step.DeployOutput, ok bool, err error) {
	for _, kind := range []step.Kind{step.Deploy, step.Rollback} {
		if d, ok, err = step.OutputOf[step.DeployOutput](r.Inputs, kind); ok || err != nil {
			return d, ok, err
		}
	}
	return d, false, nil
}

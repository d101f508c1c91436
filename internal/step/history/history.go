// Package history keeps the deployment history that a target stores beside the
// release in step with the records of this machine.
package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/anchor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// How much of an environment's history is stored in the target: enough to see how
// the current release came about, and to roll back more than once.
const (
	maxDeployments = 10
	maxAccepted    = 3 // accepted ones, however old
)

// Records are what a history is made from.
type Records struct {
	Deployments port.DeploymentStore
	Releases    port.ReleaseStore
	Models      port.ModelRegistry // nil: the models' metrics are left out
	Log         port.RecordLog     // that they are in; nil: they are those of this machine
}

// CheckCurrent is fault.Conflict if the environment belongs to another log than these
// records. Where it belongs to none, it is fault.Conflict if another machine has
// deployed to the environment, and these records do not have that deployment; one that
// no trusted key has signed counts if it has the traffic. A target that keeps neither is
// always current.
func (rec Records) CheckCurrent(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	a, err := anchor.Place{Target: t, Service: service, Environment: env}.Check(ctx, rec.Log)
	if err != nil || a.Mark.Log != "" {
		return err // the log has every deployment
	}
	store, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	stored, err := store.LoadHistory(ctx, service, env)
	if err != nil {
		return fmt.Errorf("read the deployment history stored in %s: %w", env, err)
	}
	for _, d := range stored.Deployments {
		if d.State != delivery.Serving {
			continue
		}
		recorded, _, err := rec.Deployments.List(ctx, port.DeploymentFilter{Environment: env, Run: d.Run, Release: d.Release}, port.Page{Limit: 1})
		if err != nil {
			return fmt.Errorf("read the deployment history of %s: %w", env, err)
		}
		if len(recorded) == 0 && d.Unsigned {
			if observed, err := t.Observe(ctx, service, env); err != nil || observed.Release != d.Instance() {
				continue // an unsigned record of what was not deployed
			}
		}
		if len(recorded) == 0 {
			return fault.New(fault.Conflict, "run %s by %s deployed %s to %s after this run was planned", d.Run, d.By, d.Release, env).
				Hint("start a new run: it takes that deployment into account")
		}
	}
	return nil
}

// PublishAccepted is Publish once a deployment was accepted: from then on, the
// environment belongs to the log that the records are in.
func (rec Records) PublishAccepted(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	if err := rec.Publish(ctx, t, service, env); err != nil {
		return err
	}
	return anchor.Place{Target: t, Service: service, Environment: env}.Advance(ctx, rec.Log)
}

// Publish stores the environment's history in a target that keeps one. It is
// called before something changes, and again afterwards.
func (rec Records) Publish(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	store, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	h := port.History{Service: service, Environment: env}
	var err error
	if h.Deployments, err = rec.recent(ctx, env); err != nil {
		return fmt.Errorf("read the deployment history of %s: %w", env, err)
	}
	added := map[delivery.ReleaseID]bool{}
	for _, d := range h.Deployments {
		if added[d.Release] {
			continue
		}
		added[d.Release] = true
		if err := rec.addRelease(ctx, d.Release, &h); err != nil {
			return err
		}
	}
	if err := store.SaveHistory(ctx, h); err != nil {
		return fmt.Errorf("store the deployment history in %s: %w", env, err)
	}
	return nil
}

// recent returns the newest deployments, and the accepted ones before them.
func (rec Records) recent(ctx context.Context, env delivery.Environment) ([]delivery.Deployment, error) {
	newest, _, err := rec.Deployments.List(ctx, port.DeploymentFilter{Environment: env}, port.Page{Limit: maxDeployments})
	if err != nil || len(newest) < maxDeployments {
		return newest, err
	}
	accepted, _, err := rec.Deployments.List(ctx, port.DeploymentFilter{Environment: env, Accepted: true}, port.Page{Limit: maxAccepted})
	for _, d := range accepted {
		if !slices.ContainsFunc(newest, func(n delivery.Deployment) bool { return n.ID == d.ID }) {
			newest = append(newest, d)
		}
	}
	return newest, err
}

func (rec Records) addRelease(ctx context.Context, id delivery.ReleaseID, h *port.History) error {
	rel, err := rec.Releases.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read release %s: %w", id, err)
	}
	h.Releases = append(h.Releases, rel)
	return rec.addModel(ctx, rel.Release.Model, h)
}

// addModel adds a release's model, so that any machine can compare the next one
// with it. A machine that only imported the release may not have the model.
func (rec Records) addModel(ctx context.Context, ref *delivery.ModelRef, h *port.History) error {
	if ref == nil || rec.Models == nil || slices.ContainsFunc(h.Models, func(m delivery.ModelVersion) bool { return m.ModelRef == *ref }) {
		return nil
	}
	m, err := rec.Models.Get(ctx, ref.Group, ref.Version)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read model %s: %w", ref, err)
	}
	if m.Digest == ref.Digest {
		h.Models = append(h.Models, m)
	}
	return nil
}

// DeploymentOfRun finds the deployment that the run began in its environment: the
// one that is still open, or else its newest.
func DeploymentOfRun(ctx context.Context, deployments port.DeploymentStore, r step.Request) (d delivery.Deployment, ok bool, err error) {
	for h, err := range port.AllDeployments(ctx, deployments, port.DeploymentFilter{Environment: r.Environment, Run: r.Run}) {
		if err != nil {
			return d, false, fmt.Errorf("read the deployment history of %s: %w", r.Environment, err)
		}
		if h.State == delivery.Deploying {
			return h, true, nil
		}
		if !ok {
			d, ok = h, true
		}
	}
	return d, ok, nil
}

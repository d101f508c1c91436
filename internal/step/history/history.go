// Package history keeps the deployment history that a target stores beside the
// release in step with the records of this machine.
package history

import (
	"context"
	"fmt"
	"slices"

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
}

// CheckCurrent is fault.Conflict if another machine has deployed to the
// environment, and these records do not have that deployment. A target without a
// history is always current.
func (rec Records) CheckCurrent(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	store, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	stored, err := store.LoadHistory(ctx, service, env)
	if err != nil {
		return fmt.Errorf("read the deployment history stored in %s: %w", env, err)
	}
	recorded, err := rec.Deployments.List(ctx, env, 0)
	if err != nil {
		return fmt.Errorf("read the deployment history of %s: %w", env, err)
	}
	for _, d := range stored.Deployments {
		known := slices.ContainsFunc(recorded, func(r delivery.Deployment) bool { return r.Run == d.Run && r.Release == d.Release })
		if d.State == delivery.Serving && !known {
			return fault.New(fault.Conflict, "run %s by %s deployed %s to %s after this run was planned", d.Run, d.By, d.Release, env).
				Hint("start a new run: it takes that deployment into account")
		}
	}
	return nil
}

// Publish stores the environment's history in a target that keeps one. It is
// called before something changes, and again afterwards.
func (rec Records) Publish(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	store, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	h := port.History{Service: service, Environment: env}
	deployments, err := rec.Deployments.List(ctx, env, 0)
	if err != nil {
		return fmt.Errorf("read the deployment history of %s: %w", env, err)
	}
	accepted := 0
	added := map[delivery.ReleaseID]bool{}
	for i, d := range deployments {
		wasAccepted := !d.ServingAt.IsZero()
		if i >= maxDeployments && (!wasAccepted || accepted >= maxAccepted) {
			continue
		}
		if wasAccepted {
			accepted++
		}
		h.Deployments = append(h.Deployments, d)
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
	all, err := deployments.List(ctx, r.Environment, 0)
	if err != nil {
		return d, false, fmt.Errorf("read the deployment history of %s: %w", r.Environment, err)
	}
	for _, h := range all {
		if h.Run != r.Run {
			continue
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

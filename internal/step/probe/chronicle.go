package probe

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// How much of an environment's history is kept beside what serves there: enough
// to see how it came to be, and to go back more than once.
const (
	maxDeployments = 10
	maxAccepted    = 3 // that were accepted, however long ago
)

// Records are what a history is told from.
type Records struct {
	Deployments port.DeploymentStore
	Releases    port.ReleaseStore
	Models      port.ModelRegistry // nil: what they were measured at is not told
}

// Acquire takes the environment for the run, where others deliver too, makes sure
// that these records know what serves there, and lets the place say what it would
// refuse. Nothing was begun when it fails.
func (rec Records) Acquire(ctx context.Context, r step.Request, t port.Target, o port.DeployRequest) error {
	if l, ok := t.(port.Locker); ok {
		if err := l.Lock(ctx, o, func(text string) { r.Progress("%s", text) }); err != nil {
			return fmt.Errorf("bring %s into %s: %w", o.ID, o.Environment, err)
		}
	}
	if err := rec.checkCurrent(ctx, t, o); err != nil {
		return err
	}
	if try, ok := t.(port.DryRunner); ok {
		if err := try.DryRun(ctx, o, func(text string) { r.Progress("%s", text) }); err != nil {
			return fmt.Errorf("bring %s into %s: %w", o.ID, o.Environment, err)
		}
	}
	return nil
}

// checkCurrent is fault.Conflict when somebody has delivered there that these records do
// not know of.
func (rec Records) checkCurrent(ctx context.Context, t port.Target, o port.DeployRequest) error {
	keeper, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	there, err := keeper.LoadHistory(ctx, o.Service, o.Environment)
	if err != nil {
		return fmt.Errorf("read the history beside %s: %w", o.Environment, err)
	}
	ours, err := rec.Deployments.List(ctx, o.Environment, 0)
	if err != nil {
		return fmt.Errorf("read the history of %s: %w", o.Environment, err)
	}
	for _, d := range there.Deployments {
		known := slices.ContainsFunc(ours, func(o delivery.Deployment) bool { return o.Run == d.Run && o.Release == d.Release })
		if d.State == delivery.Serving && !known {
			return fault.New(fault.Conflict, "run %s by %s brought %s into %s since this run was planned", d.Run, d.By, d.Release, o.Environment).
				Hint("start it again: it takes that into account")
		}
	}
	return nil
}

// addModel adds a release's model, so that the next one can be measured against it
// anywhere. A machine that has only taken the release over may not know it.
func (rec Records) addModel(ctx context.Context, ref *delivery.ModelRef, c *port.History) error {
	if ref == nil || rec.Models == nil || slices.ContainsFunc(c.Models, func(m delivery.ModelVersion) bool { return m.ModelRef == *ref }) {
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
		c.Models = append(c.Models, m)
	}
	return nil
}

// Publish writes the environment's history to a target that keeps one. It is called
// before something changes, and once it has.
func (rec Records) Publish(ctx context.Context, t port.Target, service string, env delivery.Environment) error {
	keeper, ok := t.(port.HistoryStore)
	if !ok {
		return nil
	}
	c := port.History{Service: service, Environment: env}
	history, err := rec.Deployments.List(ctx, env, 0)
	if err != nil {
		return fmt.Errorf("read the history of %s: %w", env, err)
	}
	good := 0
	told := map[delivery.ReleaseID]bool{}
	for i, d := range history {
		accepted := !d.ServingAt.IsZero()
		if i >= maxDeployments && (!accepted || good >= maxAccepted) {
			continue
		}
		if accepted {
			good++
		}
		c.Deployments = append(c.Deployments, d)
		if told[d.Release] {
			continue
		}
		told[d.Release] = true
		rel, err := rec.Releases.Get(ctx, d.Release)
		if err != nil {
			return fmt.Errorf("read release %s: %w", d.Release, err)
		}
		c.Releases = append(c.Releases, rel)
		if err := rec.addModel(ctx, rel.Release.Model, &c); err != nil {
			return err
		}
	}
	if err := keeper.SaveHistory(ctx, c); err != nil {
		return fmt.Errorf("write the history of %s beside it: %w", env, err)
	}
	return nil
}

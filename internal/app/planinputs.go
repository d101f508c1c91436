package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// makePlan collects the facts and makes the plan. One that would deploy with the records
// of another log than the environment's is refused; so is one whose records the commit
// names, and not the protected branch.
func (s *session) makePlan(ctx context.Context, t plan.Trigger, commit delivery.Commit) (plan.Plan, error) {
	env, err := plan.SelectEnvironment(s.project, t)
	if err != nil {
		return plan.Plan{}, err
	}
	s.trigger = t
	if err := s.addTargetPolicy(ctx, env); err != nil {
		return plan.Plan{}, err
	}
	if err := s.checkModelRegistry(); err != nil {
		return plan.Plan{}, err
	}
	foreign := s.syncHistory(ctx, env)
	if foreign != nil && !errors.As(foreign, new(foreignError)) {
		return plan.Plan{}, foreign
	}
	p, err := s.planFor(ctx, t, env, commit)
	switch {
	case foreign != nil && (err != nil || changesTarget(p)):
		return plan.Plan{}, foreign
	case err != nil:
		return p, err
	}
	if err := s.checkPolicy(p); err != nil || !changesTarget(p) || t.Rollback {
		return p, err
	}
	return p, s.checkStateSource(ctx, t)
}

// planFor makes the plan for an environment.
func (s *session) planFor(ctx context.Context, t plan.Trigger, env delivery.Environment, commit delivery.Commit) (plan.Plan, error) {
	s.known = map[string]json.RawMessage{}
	f := plan.Facts{Run: newRunID(s.app.Clock()), Commit: commit, CachedResult: s.cacheLookup(ctx, t.TrustClass()), ExistingResult: s.existingLookup(ctx)}
	find := []func(context.Context, *plan.Facts, delivery.Environment) error{s.findDeployed, s.findTrustFiles, s.findBox}
	if t.Rollback || t.DeployOnly {
		find = append(find, s.findGoodReleases) // reads the history: only for those who go by it
	} else if s.project.Environments[env].From != "" {
		find = append(find, s.findAccepted)
	} else {
		find = append(find, s.findSource, s.findApproved, s.findScripts)
		if t.Model == "" { // else it trains nothing
			find = append(find, s.findData, s.findJobs)
		}
	}
	if !t.Rollback { // it replaces what is live in any case
		find = append(find, s.findDrift)
	}
	find = append(find, s.findSmokeFiles)
	for _, do := range find {
		err := do(ctx, &f, env)
		if s.facts = f; err != nil {
			return plan.Plan{}, err
		}
	}
	if t.To != "" {
		wanted, err := s.release(ctx, t.To)
		if err != nil {
			return plan.Plan{}, err
		}
		if err := s.checkNotRevoked(ctx, wanted); err != nil {
			return plan.Plan{}, err
		}
		t.To, f.Requested = wanted.ID, &wanted
	}
	if t.Model != "" {
		var err error
		if f.RequestedModel, err = s.namedModel(ctx, t.Model); err != nil {
			return plan.Plan{}, err
		}
	}
	return plan.New(s.project, t, f)
}

// findDeployed looks up the deployed release and its model.
func (s *session) findDeployed(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	if !s.deploys(env) {
		return nil
	}
	f.Pending = s.pending[env]
	d, ok, err := s.deps.Deployments.Current(ctx, env)
	if err != nil || !ok {
		return err
	}
	r, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return err
	}
	f.Serving, f.ServingRelease = &d, &r
	if f.Held, err = s.findHeld(ctx, env); err != nil {
		return err
	}
	if err := s.findState(ctx, f, env); err != nil {
		return err
	}
	if ref := r.Release.Model; ref != nil {
		m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
		if fault.Is(err, fault.NotFound) || err == nil && (m.Digest != ref.Digest || m.Unsigned) {
			return nil // another machine registered it: its metrics are not known here
		}
		if err != nil {
			return err
		}
		f.Champion = &m
	}
	return nil
}

// findHeld returns the newest deployment of the environment if it is held, or nil.
func (s *session) findHeld(ctx context.Context, env delivery.Environment) (*delivery.Deployment, error) {
	newest, _, err := s.deps.Deployments.List(ctx, port.DeploymentFilter{Environment: env}, port.Page{Limit: 1})
	if err != nil || len(newest) == 0 || newest[0].State != delivery.Held {
		return nil, err
	}
	return &newest[0], nil
}

// findState looks whether the deployed release really runs, and whether other runs may
// replace it before this one begins.
func (s *session) findState(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	unfinished, err := s.deps.Runs.Unfinished(ctx)
	if err != nil {
		return err
	}
	f.Unfinished = slices.ContainsFunc(unfinished, func(r record.RunSummary) bool { return r.Environment == env })
	target, err := s.target(env)
	if err != nil {
		return err
	}
	observed, err := target.Observe(ctx, s.project.Service, env)
	if err != nil {
		f.NotServing = true
		return nil //nolint:nilerr // the run's own steps report it
	}
	ready := func(r port.Replica) bool { return r.Release == observed.Release && r.State == port.ReplicaReady }
	f.NotServing = observed.Release != f.Serving.Instance() || !slices.ContainsFunc(observed.Replicas, ready)
	return nil
}

// findGoodReleases looks up the newest release that was accepted anywhere, or where the
// environment promotes from, and the one that was accepted in this environment before
// the deployed one.
func (s *session) findGoodReleases(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	from := s.project.Environments[env].From
	_, newest, err := s.findGood(ctx, from, func(delivery.Deployment, delivery.ReleaseRecord) (bool, error) { return true, nil })
	if f.NewestGood = newest; err != nil || f.Serving == nil {
		return err
	}
	before, last, err := s.findGood(ctx, env, func(d delivery.Deployment, r delivery.ReleaseRecord) (bool, error) {
		if d.Instance() == f.Serving.Instance() {
			return false, nil
		}
		q, err := s.deps.Releases.FindQuarantine(ctx, r.Release.WithConfiguration(d.Config), d.Inputs)
		return q == nil, err
	})
	if f.LastGood = last; last != nil {
		f.LastName = before.Instance()
	}
	return err
}

// findGood returns the last accepted deployment in the environment, or anywhere with an
// empty one, whose release may be deployed again and which suits the caller. The
// release is nil if there is none.
func (s *session) findGood(ctx context.Context, env delivery.Environment, suits func(delivery.Deployment, delivery.ReleaseRecord) (bool, error)) (delivery.Deployment, *delivery.ReleaseRecord, error) {
	for d, err := range port.AllDeployments(ctx, s.deps.Deployments, port.DeploymentFilter{Environment: env, Accepted: true}) {
		if err != nil {
			return d, nil, err
		}
		if !isGood(d) {
			continue
		}
		r, err := s.deps.Releases.Get(ctx, d.Release)
		if err != nil {
			return d, nil, err
		}
		if r.Quarantined != nil || d.Unsigned || r.Unsigned {
			continue
		}
		if revoked, err := s.isRevoked(ctx, r.Release.Model); err != nil {
			return d, nil, err
		} else if revoked {
			continue
		}
		if ok, err := suits(d, r); ok || err != nil {
			return d, &r, err
		}
	}
	return delivery.Deployment{}, nil, nil
}

// findSource lists the commit's files, and what changed since the deployed commit.
func (s *session) findSource(ctx context.Context, f *plan.Facts, _ delivery.Environment) (err error) {
	if f.Files, err = s.deps.Source.Files(ctx, f.Commit.Tree); err != nil {
		return err
	}
	if checker, ok := s.deps.Source.(port.TreeChecker); ok {
		if err := checker.CheckTree(ctx, f.Commit.Tree, f.Files); err != nil {
			return err
		}
	}
	if f.ServingRelease == nil || f.ServingRelease.Unsigned {
		return nil
	}
	paths, err := s.deps.Source.Changed(ctx, f.ServingRelease.Origin.Tree, f.Commit.Tree)
	if fault.Is(err, fault.NotFound) {
		return nil // a shallow clone, or a tree that git has dropped: not known
	}
	f.Changed = &plan.Changes{Since: string(f.ServingRelease.ID), Paths: paths}
	return err
}

// findApproved looks up the newest approved version of the model, for environments that
// deploy or attest it: others may have no access to its registry.
func (s *session) findApproved(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	if s.project.Model == nil || !s.deploys(env) && s.project.Sign == nil {
		return nil
	}
	approved := port.ModelFilter{Group: s.project.Model.Group, Status: delivery.Approved}
	newest, _, err := s.deps.Models.List(ctx, approved, port.Page{Limit: 1})
	if err == nil && len(newest) > 0 {
		f.LatestApproved = &newest[0]
	}
	return err
}

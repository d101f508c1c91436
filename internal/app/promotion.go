package app

import (
	"cmp"
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxSkippedRuns is how many runs are searched for one that was skipped.
const maxSkippedRuns = 100

// findAccepted looks up the releases that were accepted where the environment promotes
// from, newest first.
func (s *session) findAccepted(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	from := s.project.Environments[env].From
	if err := s.syncHistory(ctx, from); err != nil {
		return err
	}
	skipped, err := s.skippedFor(ctx, from, f.Commit)
	if err != nil {
		return err
	}
	for d, err := range port.AllDeployments(ctx, s.deps.Deployments, port.DeploymentFilter{Environment: from, Accepted: true}) {
		if err != nil {
			return err
		}
		if !isGood(d) {
			continue
		}
		r, err := s.deps.Releases.Get(ctx, d.Release)
		if err != nil {
			return err
		}
		if d.Unsigned || r.Unsigned {
			continue
		}
		a := plan.Acceptance{Release: r, Commit: cmp.Or(d.Commit, r.Origin.Commit)}
		switch {
		case isOf(r, d, f.Commit) || d.Release == skipped:
			a.Changed = &plan.Changes{}
		case len(f.Accepted) == 0:
			if a.Changed, err = s.changedSince(ctx, r, f.Commit); err != nil {
				return err
			}
		}
		f.Accepted = append(f.Accepted, a)
		if a.Changed != nil && len(a.Changed.Paths) == 0 {
			return nil // the plan takes no older one
		}
	}
	return nil
}

// isGood reports whether an accepted deployment passed its bake time, too, whatever
// replaced it later.
func isGood(d delivery.Deployment) bool {
	return d.State != delivery.RolledBack && d.State != delivery.Stuck
}

// isOf reports whether the deployment delivered the commit, or the release was made
// from another one with the same files, such as what was merged.
func isOf(r delivery.ReleaseRecord, d delivery.Deployment, c delivery.Commit) bool {
	if r.Origin.Tree != "" && r.Origin.Tree == c.Tree {
		return true
	}
	return cmp.Or(d.Commit, r.Origin.Commit) == c.SHA && !r.Origin.Dirty && !c.Dirty
}

// skippedFor returns what was deployed when a run for the commit was skipped in the
// environment, because it would have changed nothing; "" if none was.
func (s *session) skippedFor(ctx context.Context, env delivery.Environment, c delivery.Commit) (delivery.ReleaseID, error) {
	if c.Tree == "" {
		return "", nil
	}
	runs, _, err := s.deps.Runs.List(ctx, env, port.Page{Limit: maxSkippedRuns})
	if err != nil {
		return "", err
	}
	for _, r := range runs {
		if r.Outcome != delivery.OutcomeSkipped {
			continue
		}
		run, err := s.deps.Runs.Get(ctx, r.ID)
		if err != nil {
			return "", err
		}
		if run.Plan.Commit.Tree == c.Tree {
			return cmp.Or(run.Release, run.Plan.Replaces).Base(), nil
		}
	}
	return "", nil
}

// changedSince returns what differs between the release's commit and another one, or
// nil if the repository does not have the former.
func (s *session) changedSince(ctx context.Context, r delivery.ReleaseRecord, c delivery.Commit) (*plan.Changes, error) {
	paths, err := s.deps.Source.Changed(ctx, r.Origin.Tree, c.Tree)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &plan.Changes{Since: string(r.ID), Paths: paths}, nil
}

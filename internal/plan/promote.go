package plan

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// promote plans the way of a release that exists.
func (pl *planner) promote() error {
	r := pl.facts.NewestGood
	if r == nil {
		return fault.New(fault.NotFound, "no accepted release to deploy").
			Hint("deploy a commit first with `slipway run`")
	}
	if err := checkNotQuarantined(*r); err != nil {
		return err
	}
	pl.plan.Purpose = Promote
	pl.useCommitOf(*r)
	var needs []string
	if pl.approve(false, nil) {
		needs = []string{approveStep}
	}
	with := pl.environmentParams()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	with.RequireScan = pl.requiresScan()
	pl.rollout(needs, with)
	return nil
}

// useCommitOf makes the release's commit the plan's.
func (pl *planner) useCommitOf(r delivery.ReleaseRecord) {
	pl.plan.Commit = delivery.Commit{SHA: r.Release.Commit, Tree: r.Release.Tree, Dirty: r.Release.Dirty, Branch: pl.facts.Commit.Branch, Source: pl.facts.Commit.Source}
	if pl.facts.Commit.SHA == r.Release.Commit {
		pl.plan.Commit.Time = pl.facts.Commit.Time
	}
}

func checkNotQuarantined(r delivery.ReleaseRecord) error {
	q := r.Quarantined
	if q == nil {
		return nil
	}
	return fault.New(fault.Conflict, "%s has been quarantined since %s: %s", r.ID, q.Since.UTC().Format("2006-01-02 15:04"), q.Reason).
		Hint("release it with `slipway releases unquarantine %s --why REASON`, or choose another release", r.ID)
}

package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
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
	if pl.env.Approvals > 0 {
		ask := step.ApproveParams{DeployApprovals: pl.env.Approvals}
		pl.add(step.Spec{Name: "approve", Kind: step.Approve, Reason: approvalReason(ask)}, ask)
		needs = []string{"approve"}
	}
	with := pl.environmentParams()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	with.RequireScan = pl.requiresScan()
	pl.rollout(needs, with)
	return nil
}

// rollback plans a rollback: forward to a release that was good.
func (pl *planner) rollback() error {
	serving := pl.facts.Serving
	if serving == nil {
		return fault.New(fault.Conflict, "nothing is deployed in %s, so it cannot be rolled back", pl.plan.Environment).
			Hint("deploy the newest accepted release with `slipway run --deploy-only`")
	}
	r := pl.facts.LastGood
	if pl.trigger.To != "" {
		if r = pl.facts.Requested; r == nil || r.ID != pl.trigger.To {
			return fault.New(fault.NotFound, "release %s not found", pl.trigger.To).Hint("see `slipway releases`")
		}
	}
	switch {
	case r == nil:
		return fault.New(fault.NotFound, "no accepted release before %s in %s", serving.Release, pl.plan.Environment).
			Hint("pass one with --to; see `slipway releases`")
	case r.ID == serving.Release:
		return fault.New(fault.Conflict, "%s is already deployed", r.ID).Hint("pass another one with --to; see `slipway releases`")
	}
	if err := checkNotQuarantined(*r); err != nil {
		return err
	}
	pl.plan.Purpose = Rollback
	pl.useCommitOf(*r)
	params := step.RollbackParams{
		RolloutParams: pl.rolloutParams(), ProbeParams: pl.probeParams(), Release: r.ID,
		Trust: TrustPolicy(pl.env, pl.facts.TrustFiles), Reason: pl.trigger.Why,
	}
	pl.add(step.Spec{
		Name: "rollback", Kind: step.Rollback, Timeout: deployTimeout + r.Release.Workload.Drain,
		Reason: "rolls back from " + string(serving.Release) + " to " + string(r.ID),
	}, params)
	pl.verify("rollback", r.ID)
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

// VerifyStep is the step that asks what serves in the environment whether it
// is the release, outside of any run.
func VerifyStep(p config.Project, env delivery.Environment, r delivery.ReleaseRecord) (step.Spec, error) {
	e, err := p.Environment(env)
	if err != nil {
		return step.Spec{}, err
	}
	pl := planner{project: p, env: e}
	pl.verify("", r.ID)
	return pl.plan.Steps[0], nil
}

package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// promote plans the way of a release that exists.
func (m *maker) promote() error {
	r := m.facts.NewestGood
	if r == nil {
		return fault.New(fault.NotFound, "there is no good release to deliver").
			Hint("deliver one from a commit first: `slipway run`")
	}
	if err := free(*r); err != nil {
		return err
	}
	m.plan.Purpose = Promote
	m.existing(*r)
	var needs []string
	if m.env.Approvals > 0 {
		ask := step.ApproveParams{DeployApprovals: m.env.Approvals}
		m.add(step.Spec{Name: "approve", Kind: step.Approve, Reason: askWhy(ask)}, ask)
		needs = []string{"approve"}
	}
	with := m.place()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	with.RequireScan = m.mustBeScanned()
	m.rollout(needs, with)
	return nil
}

// goBack plans a rollback: forward to a release that was good.
func (m *maker) goBack() error {
	serving := m.facts.Serving
	if serving == nil {
		return fault.New(fault.Conflict, "nothing serves in %s: there is nothing to roll back", m.plan.Environment).
			Hint("`slipway run --deploy-only` delivers the newest good release")
	}
	r := m.facts.LastGood
	if m.trigger.To != "" {
		if r = m.facts.Requested; r == nil || r.ID != m.trigger.To {
			return fault.New(fault.NotFound, "there is no release %s", m.trigger.To).Hint("see `slipway releases`")
		}
	}
	switch {
	case r == nil:
		return fault.New(fault.NotFound, "there is no good release before %s in %s", serving.Release, m.plan.Environment).
			Hint("name one with --to; see `slipway releases`")
	case r.ID == serving.Release:
		return fault.New(fault.Conflict, "%s serves already", r.ID).Hint("name another one with --to; see `slipway releases`")
	}
	if err := free(*r); err != nil {
		return err
	}
	m.plan.Purpose = Rollback
	m.existing(*r)
	with := m.place()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	with.Reason = m.trigger.Why
	m.add(step.Spec{
		Name: "rollback", Kind: step.Rollback, Timeout: deployTime + with.Workload.Drain,
		Reason: "goes back from " + string(serving.Release) + " to " + string(r.ID),
	}, with)
	m.verify("rollback", with)
	return nil
}

// existing makes the release's commit the plan's.
func (m *maker) existing(r delivery.ReleaseRecord) {
	m.plan.Commit = delivery.Commit{SHA: r.Release.Commit, Tree: r.Release.Tree, Dirty: r.Release.Dirty, Branch: m.facts.Commit.Branch, Source: m.facts.Commit.Source}
	if m.facts.Commit.SHA == r.Release.Commit {
		m.plan.Commit.Time = m.facts.Commit.Time
	}
}

func free(r delivery.ReleaseRecord) error {
	q := r.Quarantined
	if q == nil {
		return nil
	}
	return fault.New(fault.Conflict, "%s is quarantined since %s: %s", r.ID, q.Since.UTC().Format("2006-01-02 15:04"), q.Reason).
		Hint("a person lets it go with `slipway releases unquarantine %s --why REASON`; or name another release", r.ID)
}

// VerifyStep is the step that asks what serves in the environment whether it
// is the release, outside of any run.
func VerifyStep(p config.Project, env delivery.Environment, r delivery.ReleaseRecord) (step.Spec, error) {
	e, err := p.Environment(env)
	if err != nil {
		return step.Spec{}, err
	}
	m := maker{project: p, env: e}
	with := m.place()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	m.verify("", with)
	return m.plan.Steps[0], nil
}

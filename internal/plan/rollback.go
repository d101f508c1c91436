package plan

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// rollback plans a rollback: forward to a release that was good.
func (pl *planner) rollback() error {
	serving, pending := pl.facts.Serving, pl.facts.Pending
	if serving == nil && pending > 0 {
		return step.UnsignedHistoryError(pending, pl.plan.Environment)
	}
	if serving == nil {
		return fault.New(fault.Conflict, "nothing is deployed in %s, so it cannot be rolled back", pl.plan.Environment).
			Hint("deploy the newest accepted release with `slipway run --deploy-only`")
	}
	r, from := pl.facts.LastGood, serving.Release
	if held := pl.facts.Held; held != nil {
		r, from = pl.facts.ServingRelease, held.Release // what was accepted last is the way back
	}
	if pl.trigger.To != "" {
		if r = pl.facts.Requested; r == nil || r.ID != pl.trigger.To {
			return fault.New(fault.NotFound, "release %s not found", pl.trigger.To).Hint("see `slipway releases`")
		}
	}
	switch {
	case r == nil && pending > 0:
		return step.UnsignedHistoryError(pending, pl.plan.Environment)
	case r == nil:
		return fault.New(fault.NotFound, "no accepted release before %s in %s", serving.Release, pl.plan.Environment).
			Hint("pass one with --to; see `slipway releases`")
	case pl.facts.Held == nil && r.ID == serving.Release && (pl.lastName() == "" || pl.lastName() == serving.Instance()):
		return fault.New(fault.Conflict, "%s is already deployed", r.ID).Hint("pass another one with --to; see `slipway releases`")
	}
	if err := pl.checkUsable(*r); err != nil {
		return err
	}
	pl.plan.Purpose = Rollback
	pl.useCommitOf(*r)
	params := step.RollbackParams{
		RolloutParams: pl.rolloutParams(), ProbeParams: pl.probeParams(), Release: r.ID, Instance: pl.lastName(), Overrides: pl.overrides(),
		Trust: TrustPolicy(pl.env, pl.facts.TrustFiles), Reason: pl.trigger.Why,
	}
	pl.add(step.Spec{
		Name: rollbackStep, Kind: step.Rollback, Timeout: deployTimeout + r.Release.Workload.Drain,
		Reason: "rolls back from " + string(from) + " to " + string(r.ID),
	}, params)
	pl.verify(rollbackStep, r.ID)
	return nil
}

// lastName is the name under which the release ran before, unless a person chose
// another one.
func (pl *planner) lastName() delivery.ReleaseID {
	if pl.trigger.To != "" {
		return ""
	}
	if pl.facts.Held != nil {
		return pl.facts.Serving.Instance()
	}
	return pl.facts.LastName
}

package plan

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// promote plans the way of a release that exists.
func (pl *planner) promote() error {
	r := pl.facts.NewestGood
	switch from := pl.env.From; {
	case r == nil && from != "":
		return fault.New(fault.NotFound, "%s has not accepted any release", from).
			Hint("deploy a commit there first with `slipway run --env %s`", from)
	case r == nil:
		return fault.New(fault.NotFound, "no accepted release to deploy").
			Hint("deploy a commit first with `slipway run`")
	}
	if err := pl.checkUsable(*r); err != nil {
		return err
	}
	pl.useCommitOf(*r)
	pl.deployRecorded(*r)
	return nil
}

// promoteAccepted plans the way of the release that the environment's from accepted
// for the commit, or for one that differs only in ignored files. It never builds one.
func (pl *planner) promoteAccepted() error {
	r, err := pl.accepted()
	if err != nil {
		return err
	}
	if err := pl.checkUsable(r); err != nil {
		return err
	}
	if pl.serves(r) {
		pl.plan.Purpose = Promote
		pl.plan.Skip = fmt.Sprintf("%s, which %s accepted, is deployed in %s", r.ID, pl.env.From, pl.plan.Environment)
		return nil
	}
	pl.deployRecorded(r)
	return nil
}

// serves reports whether the release is what is deployed, with the environment's
// overrides. What overridden manifests become is left to the deployment.
func (pl *planner) serves(r delivery.ReleaseRecord) bool {
	f, over := pl.facts, pl.overrides()
	if f.Serving == nil || f.Serving.Unsigned || f.Serving.Release != r.ID || f.NotServing || len(f.Drift) > 0 || f.Unfinished || pl.trigger.Until != "" {
		return false
	}
	if over.IsZero() {
		return f.Serving.Config == nil
	}
	runs := r.Release.WithConfiguration(f.Serving.Config)
	return runs.Objects == "" && len(over.Manifests)+len(over.Values) == 0 && reflect.DeepEqual(runs.Workload, over.Apply(r.Release.Workload))
}

// accepted returns the release that was last accepted for the commit.
func (pl *planner) accepted() (delivery.ReleaseRecord, error) {
	for _, a := range pl.facts.Accepted {
		if a.Changed != nil && !slices.ContainsFunc(a.Changed.Paths, func(path string) bool { return !pl.isIgnored(path) }) {
			return a.Release, nil
		}
	}
	from, but := pl.env.From, "; it has not accepted any release"
	if len(pl.facts.Accepted) > 0 {
		a := pl.facts.Accepted[0]
		but = fmt.Sprintf("; it accepted %s of %s", a.Release.ID, delivery.Commit{SHA: a.Commit}.Short())
	}
	return delivery.ReleaseRecord{}, fault.New(fault.NotFound, "%s has not accepted a release of commit %s%s", from, pl.facts.Commit.Short(), but).
		Hint("deliver the commit there first with `slipway run --env %s`, or promote the newest accepted release with --deploy-only", from)
}

// deployRecorded plans approving and deploying a release that exists.
func (pl *planner) deployRecorded(r delivery.ReleaseRecord) {
	pl.plan.Purpose = Promote
	var needs []string
	if pl.approve(false, nil) {
		needs = []string{approveStep}
	}
	with := pl.environmentParams()
	with.Release, with.Workload, with.Model = r.ID, r.Release.Workload, r.Release.Model
	with.RequireScan = pl.requiresScan()
	if with.Overrides.IsZero() {
		with.ConfigurationDigest = r.Origin.Inputs.Configuration
	}
	pl.rollout(needs, with)
}

// useCommitOf makes the release's commit the plan's.
func (pl *planner) useCommitOf(r delivery.ReleaseRecord) {
	pl.plan.Commit = delivery.Commit{SHA: r.Origin.Commit, Tree: r.Origin.Tree, Dirty: r.Origin.Dirty, Branch: pl.facts.Commit.Branch, Source: pl.facts.Commit.Source}
	if pl.facts.Commit.SHA == r.Origin.Commit {
		pl.plan.Commit.Time = pl.facts.Commit.Time
	}
}

// checkUsable refuses a release that is quarantined, or that no trusted key has signed.
func (pl *planner) checkUsable(r delivery.ReleaseRecord) error {
	if r.Unsigned {
		return step.UnsignedError(r.ID, pl.plan.Environment)
	}
	q := r.Quarantined
	if q == nil {
		return nil
	}
	return fault.New(fault.Conflict, "%s has been quarantined since %s: %s", r.ID, q.Since.UTC().Format("2006-01-02 15:04 MST"), q.Reason).
		Hint("release it with `slipway releases unquarantine %s --why REASON`, or choose another release", r.ID)
}

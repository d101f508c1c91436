package plan

import (
	"encoding/json"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// New plans what the trigger requests. What can't be planned (no such
// environment, no release to roll back to, a quarantined release) is a fault
// whose hint lists the alternatives.
func New(p config.Project, t Trigger, f Facts) (Plan, error) {
	if err := checkTrigger(t); err != nil {
		return Plan{}, err
	}
	name, err := SelectEnvironment(p, t)
	if err != nil {
		return Plan{}, err
	}
	t.Environment = name
	pl := planner{project: p.In(name), trigger: t, facts: f, env: p.Environments[name], cachedOutputs: map[string]json.RawMessage{}}
	if err := pl.checkPurpose(); err != nil {
		return Plan{}, err
	}
	pl.plan = Plan{
		Purpose: Deliver, Run: f.Run, Service: p.Service,
		Environment: name, Commit: f.Commit, Trigger: t,
	}
	if f.Serving != nil {
		pl.plan.Replaces = f.Serving.Release
	}
	switch {
	case t.Rollback:
		err = pl.rollback()
	case t.DeployOnly:
		err = pl.promote()
	case pl.env.From != "":
		err = pl.promoteAccepted()
	default:
		err = pl.deliver()
	}
	if err != nil {
		return Plan{}, err
	}
	if err := pl.truncate(); err != nil {
		return Plan{}, err
	}
	if !slices.ContainsFunc(pl.plan.Steps, func(s step.Spec) bool { return s.Kind == step.Evaluate }) {
		pl.plan.Warnings = nil // the run evaluates nothing
	}
	pl.plan.Warnings = append(pl.plan.Warnings, pl.notes...)
	pl.describeBox()
	pl.describeCost()
	pl.plan.Version = pl.plan.version()
	if err := validateForm(pl.plan); err != nil {
		return Plan{}, fault.New(fault.Internal, "generate the plan").Cause(err)
	}
	return pl.plan, nil
}

// planner builds one plan.
type planner struct {
	project       config.Project
	trigger       Trigger
	facts         Facts
	env           config.Environment
	plan          Plan
	cachedOutputs map[string]json.RawMessage // outputs of the cached steps so far
	notes         []string                   // warnings about what the plan leaves out
}

package plan

import (
	"encoding/json"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
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
	pl := planner{project: p, trigger: t, facts: f, env: p.Environments[name], cachedOutputs: map[string]json.RawMessage{}}
	pl.plan = Plan{
		Version: Version, Purpose: Deliver, Run: f.Run, Service: p.Service,
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
	default:
		err = pl.deliver()
	}
	if err != nil {
		return Plan{}, err
	}
	if err := pl.truncate(); err != nil {
		return Plan{}, err
	}
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
}

// truncate cuts the plan after the step that --until names, and keeps what that
// step needs.
func (pl *planner) truncate() error {
	want := pl.trigger.Until
	if want == "" || pl.plan.Skip != "" {
		return nil
	}
	keep := map[string]bool{}
	known := map[string]bool{}
	for _, s := range pl.plan.Steps {
		group, _, _ := strings.Cut(s.Name, ".")
		known[s.Name], known[group] = true, true
		if s.Name == want || group == want {
			keep[s.Name] = true
		}
	}
	if len(keep) == 0 {
		var names []string
		for n := range known {
			names = append(names, n)
		}
		sort.Strings(names)
		return fault.New(fault.Invalid, "--until: step %q not found", want).Hint("%s", fault.DidYouMean(want, names))
	}
	if keep[deployStep] || keep[verifyStep] {
		return fault.New(fault.Invalid, "--until %s would leave an unverified release serving traffic", want).
			Hint("stop before the deployment (--until push), or drop --until")
	}
	steps := pl.plan.Steps
	for i := len(steps) - 1; i >= 0; i-- { // needs come first, so one pass from the end finds them all
		if keep[steps[i].Name] {
			for _, n := range steps[i].Needs {
				keep[n] = true
			}
		}
	}
	kept := steps[:0:0]
	for _, s := range steps {
		if keep[s.Name] {
			kept = append(kept, s)
		}
	}
	pl.plan.Steps = kept
	return nil
}

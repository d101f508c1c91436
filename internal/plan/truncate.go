package plan

import (
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// checkPurpose refuses what the environment can't do.
func (pl *planner) checkPurpose() error {
	t, e := pl.trigger, pl.env
	if (t.Rollback || t.DeployOnly) && !e.Deploys() {
		return DeploysNothing(t.Environment, e.Until)
	}
	if e.From != "" && (t.Retrain || t.Rebuild || t.Model != "") {
		return fault.New(fault.Invalid, "environment %[1]s promotes the releases of %[2]s, with their models: it accepts neither --retrain, --rebuild nor --model", t.Environment, e.From).
			Hint("run them in %s", e.From)
	}
	return nil
}

// DeploysNothing is the error for what only environments with a target can do.
func DeploysNothing(name delivery.Environment, until string) error {
	return fault.New(fault.Invalid, "environment %s deploys nothing: its runs end after %s", name, until).
		Hint("choose another environment, or set target instead of until in environments.%s", name)
}

// truncate cuts the plan after the step that the environment's until names, and
// after the one that --until names. An environment runs every test, whether the
// step needs it or not: it validates commits.
func (pl *planner) truncate() error {
	tests := map[string]bool{}
	for _, s := range pl.plan.Steps {
		tests[s.Name] = s.Kind == step.Test
	}
	if err := pl.truncateAfter(pl.env.Until, "environments."+string(pl.plan.Environment)+".until", tests); err != nil {
		return err
	}
	return pl.truncateAfter(pl.trigger.Until, "--until", map[string]bool{})
}

// truncateAfter cuts the plan after a step, and keeps the steps in keep and what
// these steps need. option is what named the step.
func (pl *planner) truncateAfter(want, option string, keep map[string]bool) error {
	if want == "" || pl.plan.Skip != "" {
		return nil
	}
	found := false
	known := map[string]bool{}
	for _, s := range pl.plan.Steps {
		group, _, _ := strings.Cut(s.Name, ".")
		known[s.Name], known[group] = true, true
		if s.Name == want || group == want {
			keep[s.Name], found = true, true
		}
	}
	if !found {
		var names []string
		for n := range known {
			names = append(names, n)
		}
		sort.Strings(names)
		notFound := fault.New(fault.Invalid, "%s: step %q not found", option, want)
		if len(pl.notes) > 0 {
			return notFound.Hint("%s: add --retrain", pl.notes[0])
		}
		return notFound.Hint("%s", fault.DidYouMean(want, names))
	}
	if keep[deployStep] || keep[verifyStep] {
		return fault.New(fault.Invalid, "%s %s would leave an unverified release serving traffic", option, want).
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

package plan

import (
	"encoding/json"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// New plans what the trigger asks for. A wish that can't be granted (no such
// environment, nothing to go back to, a quarantined release) is a fault that
// says what there is instead.
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

// planner holds a plan in the making.
type planner struct {
	project       config.Project
	trigger       Trigger
	facts         Facts
	env           config.Environment
	plan          Plan
	cachedOutputs map[string]json.RawMessage // outputs of the cached steps so far
}

// checkTrigger refuses wishes that contradict each other.
func checkTrigger(t Trigger) error {
	no := func(format string, args ...any) *fault.Error { return fault.New(fault.Invalid, format, args...) }
	switch {
	case t.Rollback && (t.Retrain || t.DeployOnly || t.Until != ""):
		return no("a rollback cannot be combined with --retrain, --deploy-only or --until")
	case t.Retrain && t.DeployOnly:
		return no("--deploy-only and --retrain are mutually exclusive").Hint("drop one of them")
	case t.To != "" && !t.Rollback:
		return no("only a rollback accepts a release")
	case t.To != "" && !t.To.Valid():
		return no("%q is not a valid release ID", t.To).Hint("see `slipway releases`")
	}
	return nil
}

// SelectEnvironment finds the environment: the one asked for by name, or the only one that
// the event and its branch may enter. A manual run counts as a push.
func SelectEnvironment(p config.Project, t Trigger) (delivery.Environment, error) {
	if t.Environment != "" {
		_, err := p.Environment(t.Environment)
		return t.Environment, err
	}
	var matches, choices []string
	for _, name := range p.EnvironmentNames() {
		on := p.Environments[delivery.Environment(name)].On
		branches := on.Push
		if t.Event == "pull_request" {
			branches = on.PullRequest
		}
		if t.Branch != "" && config.MatchAnyGlob(branches, t.Branch) {
			matches = append(matches, name)
		}
		choices = append(choices, name+" ("+describeTriggers(on)+")")
	}
	switch len(matches) {
	case 1:
		return delivery.Environment(matches[0]), nil
	case 0:
		return "", fault.New(fault.Invalid, "no environment is configured for %s", describeTrigger(t)).
			Hint("pass one with --env; available: %s", strings.Join(choices, ", "))
	}
	return "", fault.New(fault.Invalid, "%s matches the environments %s", describeTrigger(t), strings.Join(matches, " and ")).
		Hint("pass one with --env, or make their `on` triggers mutually exclusive")
}

func describeTrigger(t Trigger) string {
	switch {
	case t.Branch == "":
		return "runs without a branch"
	case t.Event == "pull_request":
		return "pull requests to " + t.Branch
	}
	return "push to " + t.Branch
}

func describeTriggers(on config.Triggers) string {
	var ways []string
	if len(on.Push) > 0 {
		ways = append(ways, "push to "+strings.Join(on.Push, ", "))
	}
	if len(on.PullRequest) > 0 {
		ways = append(ways, "pull request to "+strings.Join(on.PullRequest, ", "))
	}
	if len(ways) == 0 {
		return "only with --env"
	}
	return strings.Join(ways, "; ")
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
	if keep["deploy"] || keep["verify"] {
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

package plan

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// SelectEnvironment returns the environment: the one selected by name, or the only
// one whose triggers match the event and its branch or tag. A manual run counts as a push. A CI
// may only enter an environment from where its triggers allow it: anything else is
// fault.Denied.
func SelectEnvironment(p config.Project, t Trigger) (delivery.Environment, error) {
	name := t.Environment
	if name == "" {
		var err error
		if name, err = matchEnvironment(p, t); err != nil {
			return "", err
		}
	}
	e, err := p.Environment(name)
	if err != nil {
		return name, err
	}
	return name, checkDispatch(name, e.On, t)
}

// checkDispatch refuses a run that a CI started from a branch or tag that must not
// enter the environment. An environment without branches and tags is only ever selected by
// name, and restricts none.
func checkDispatch(name delivery.Environment, on config.Triggers, t Trigger) error {
	if t.CI == nil || t.Rollback || on.Dispatch == config.AnyDispatch || on.IsZero() {
		return nil
	}
	from := Trigger{Event: t.CI.Event, Branch: t.CI.Branch, Tag: t.CI.Tag}
	if enters(on, from) {
		return nil
	}
	return fault.New(fault.Denied, "environment %s does not accept %s from a CI", name, describeTrigger(from)).
		Hint("%[1]s accepts %[2]s; with environments.%[1]s.on.dispatch: any a CI may select it with --env from every branch and tag", name, describeTriggers(on))
}

// enters reports whether what was pushed, or the base of the pull request, is among
// what enters an environment by itself.
func enters(on config.Triggers, t Trigger) bool {
	switch {
	case t.Event == PullRequestEvent:
		return t.Branch != "" && config.MatchAnyGlob(on.PullRequest, t.Branch)
	case t.Tag != "":
		return config.MatchAnyGlob(on.Tag, t.Tag)
	}
	return t.Branch != "" && config.MatchAnyGlob(on.Push, t.Branch)
}

// matchEnvironment returns the only environment whose triggers match.
func matchEnvironment(p config.Project, t Trigger) (delivery.Environment, error) {
	var matches, choices []string
	for _, name := range p.EnvironmentNames() {
		on := p.Environments[delivery.Environment(name)].On
		if enters(on, t) {
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
	case t.Tag != "":
		return "tag " + t.Tag
	case t.Branch == "":
		return "runs without a branch"
	case t.Event == PullRequestEvent:
		return "pull requests to " + t.Branch
	}
	return "push to " + t.Branch
}

func describeTriggers(on config.Triggers) string {
	var events []string
	if len(on.Push) > 0 {
		events = append(events, "push to "+strings.Join(on.Push, ", "))
	}
	if len(on.Tag) > 0 {
		events = append(events, "tag "+strings.Join(on.Tag, ", "))
	}
	if len(on.PullRequest) > 0 {
		events = append(events, "pull request to "+strings.Join(on.PullRequest, ", "))
	}
	if len(events) == 0 {
		return "only with --env"
	}
	return strings.Join(events, "; ")
}

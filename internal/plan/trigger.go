package plan

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TriggerEvent is what happened in the repository. Values are stored with plans.
type TriggerEvent string

// The events. A manual run selects environments like a push.
const (
	PushEvent        TriggerEvent = "push"
	PullRequestEvent TriggerEvent = "pull_request"
	ManualEvent      TriggerEvent = "manual"
)

// Trigger is what started the run.
type Trigger struct {
	Event       TriggerEvent         `json:"event"`
	Branch      string               `json:"branch,omitempty"`      // that was pushed, or the base of the pull request
	Environment delivery.Environment `json:"environment,omitempty"` // selected by name
	By          string               `json:"by"`
	Retrain     bool                 `json:"retrain,omitempty"`
	Model       string               `json:"model,omitempty"` // "group:3": deliver this approved version
	DeployOnly  bool                 `json:"deploy_only,omitempty"`
	Until       string               `json:"until,omitempty"`
	Rollback    bool                 `json:"rollback,omitempty"`
	To          delivery.ReleaseID   `json:"to,omitempty"`  // of a rollback; empty: the last good one
	Why         string               `json:"why,omitempty"` // of a rollback
}

// checkTrigger refuses contradictory options.
func checkTrigger(t Trigger) error {
	invalid := func(format string, args ...any) *fault.Error { return fault.New(fault.Invalid, format, args...) }
	switch {
	case t.Rollback && (t.Retrain || t.DeployOnly || t.Until != ""):
		return invalid("a rollback cannot be combined with --retrain, --deploy-only or --until")
	case t.Retrain && t.DeployOnly:
		return invalid("--deploy-only and --retrain are mutually exclusive").Hint("drop one of them")
	case t.Model != "" && (t.Rollback || t.Retrain || t.DeployOnly):
		return invalid("--model cannot be combined with --retrain, --deploy-only or a rollback").Hint("drop one of them")
	case t.To != "" && !t.Rollback:
		return invalid("only a rollback accepts a release")
	case t.To != "" && !t.To.Valid():
		return invalid("%q is not a valid release ID", t.To).Hint("see `slipway releases`")
	}
	return nil
}

// SelectEnvironment returns the environment: the one selected by name, or the only
// one whose triggers match the event and its branch. A manual run counts as a push.
func SelectEnvironment(p config.Project, t Trigger) (delivery.Environment, error) {
	if t.Environment != "" {
		_, err := p.Environment(t.Environment)
		return t.Environment, err
	}
	var matches, choices []string
	for _, name := range p.EnvironmentNames() {
		on := p.Environments[delivery.Environment(name)].On
		branches := on.Push
		if t.Event == PullRequestEvent {
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
	if len(on.PullRequest) > 0 {
		events = append(events, "pull request to "+strings.Join(on.PullRequest, ", "))
	}
	if len(events) == 0 {
		return "only with --env"
	}
	return strings.Join(events, "; ")
}

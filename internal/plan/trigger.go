package plan

import (
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
	Tag         string               `json:"tag,omitempty"`         // that was pushed, instead of a branch
	Environment delivery.Environment `json:"environment,omitempty"` // selected by name
	By          string               `json:"by"`                    // the actor's name
	Actor       delivery.Actor       `json:"actor,omitzero"`
	Retrain     bool                 `json:"retrain,omitempty"`
	Model       string               `json:"model,omitempty"` // "group:3": deliver this approved version
	Rebuild     bool                 `json:"rebuild,omitempty"`
	DeployOnly  bool                 `json:"deploy_only,omitempty"`
	Until       string               `json:"until,omitempty"`
	KeepGoing   bool                 `json:"keep_going,omitempty"` // after a failure, what does not need the failed step goes on
	Rollback    bool                 `json:"rollback,omitempty"`
	To          delivery.ReleaseID   `json:"to,omitempty"`  // of a rollback; empty: the last good one
	Why         string               `json:"why,omitempty"` // of a rollback
	CI          *CI                  `json:"ci,omitempty"`  // that started the run; nil: a person did
}

// CI is the CI job that started a run, with what it reports about the event,
// whatever the options of the command claim.
type CI struct {
	Name   string       `json:"name"` // such as github
	Event  TriggerEvent `json:"event"`
	Branch string       `json:"branch,omitempty"` // that was pushed, or the base of the pull request
	Tag    string       `json:"tag,omitempty"`    // instead of a branch
}

// TrustClass returns the class of the code that the run carries out. What a CI reports
// counts even if the command's options claim otherwise.
func (t Trigger) TrustClass() delivery.TrustClass {
	if t.Event == PullRequestEvent || t.CI != nil && t.CI.Event == PullRequestEvent {
		return delivery.Untrusted
	}
	return delivery.Trusted
}

// StartedBy returns who started the run: older plans hold the name only.
func (t Trigger) StartedBy() delivery.Actor {
	if t.Actor.IsZero() {
		return delivery.Actor{Name: t.By}
	}
	return t.Actor
}

// checkTrigger refuses contradictory options.
func checkTrigger(t Trigger) error {
	invalid := func(format string, args ...any) *fault.Error { return fault.New(fault.Invalid, format, args...) }
	switch {
	case t.Rollback && (t.Retrain || t.Rebuild || t.DeployOnly || t.Until != ""):
		return invalid("a rollback cannot be combined with --retrain, --rebuild, --deploy-only or --until")
	case t.Tag != "" && (t.Branch != "" || t.Event == PullRequestEvent):
		return invalid("--tag cannot be combined with --branch or --event pull_request").Hint("drop one of them")
	case t.Retrain && t.DeployOnly:
		return invalid("--deploy-only and --retrain are mutually exclusive").Hint("drop one of them")
	case t.Model != "" && (t.Rollback || t.Retrain || t.DeployOnly):
		return invalid("--model cannot be combined with --retrain, --deploy-only or a rollback").Hint("drop one of them")
	case t.Rebuild && t.DeployOnly:
		return invalid("--deploy-only and --rebuild are mutually exclusive").Hint("drop one of them")
	case t.To != "" && !t.Rollback:
		return invalid("only a rollback accepts a release")
	case t.To != "" && !t.To.Valid():
		return invalid("%q is not a valid release ID", t.To).Hint("see `slipway releases`")
	}
	return nil
}

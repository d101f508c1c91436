package engine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// workflowResult is how a turn ends. The journal keeps it: add fields, never rename.
type workflowResult struct {
	Outcome delivery.Outcome   `json:"outcome"`
	Cause   string             `json:"cause,omitempty"`
	Hint    string             `json:"hint,omitempty"`
	Release delivery.ReleaseID `json:"release,omitempty"`
	OfPlace bool               `json:"ofPlace,omitempty"` // the place failed, not the release
}

func (v workflowResult) runResult() record.RunResult {
	return record.RunResult{Outcome: v.Outcome, Cause: v.Cause, Hint: v.Hint, Release: v.Release}
}

// needsUndo reports whether what was begun must be undone.
func (v workflowResult) needsUndo() bool {
	return v.Outcome == delivery.OutcomeFailed || v.Outcome == delivery.OutcomeCancelled
}

// resultOf looks at how the steps ended, before anything is undone. It is pure: a
// replay comes to the same result. The first failure counts, then a stop, then
// a wait.
func resultOf(p plan.Plan, nodes []*node) workflowResult {
	v := workflowResult{Outcome: successOutcome(p, nodes), Release: releaseOf(nodes)}
	if n := firstWith(nodes, delivery.OutcomeFailed); n != nil {
		v.Outcome, v.Cause, v.Hint = delivery.OutcomeFailed, n.cause(), n.end.Result.Hint
		if others := otherFailures(nodes, n); p.Trigger.KeepGoing && len(others) > 0 {
			v.Cause += "; also failed: " + strings.Join(others, ", ")
		}
		v.OfPlace = n.end.Result.InfrastructureFailure
		return v
	}
	for _, n := range nodes {
		if n.end.Cancelled != "" {
			v.Outcome, v.Cause = delivery.OutcomeCancelled, "stopped by "+n.end.Cancelled
			return v
		}
	}
	if n := firstWith(nodes, delivery.OutcomeCancelled); n != nil {
		v.Outcome, v.Cause, v.Hint = delivery.OutcomeCancelled, n.cause(), n.end.Result.Hint
		return v
	}
	if n := firstWith(nodes, delivery.OutcomeWaiting); n != nil {
		v.Outcome, v.Cause, v.Hint = delivery.OutcomeWaiting, n.end.Result.Cause, n.end.Result.Hint
		if v.Cause == "" {
			v.Cause = n.end.Result.Summary
		}
	}
	return v
}

// firstWith is the node with that outcome that ended first.
func firstWith(nodes []*node, outcome delivery.Outcome) *node {
	var found *node
	for _, n := range nodes {
		if n.end.Result.Outcome != outcome || n.end.Later {
			continue
		}
		if found == nil || n.end.Result.Ended.Before(found.end.Result.Ended) {
			found = n
		}
	}
	return found
}

// otherFailures names the steps that failed besides one.
func otherFailures(nodes []*node, except *node) []string {
	var names []string
	for _, n := range nodes {
		if n != except && n.end.Result.Outcome == delivery.OutcomeFailed {
			names = append(names, n.spec.Name)
		}
	}
	return names
}

// successOutcome is the outcome of a run that did all it was asked.
func successOutcome(p plan.Plan, nodes []*node) delivery.Outcome {
	for _, n := range nodes {
		deploys := n.spec.Kind == step.Deploy || p.Purpose == plan.Rollback && n.spec.Kind == step.Rollback
		if deploys && n.end.Result.Outcome == delivery.OutcomeSucceeded {
			if n.spec.Kind == step.Deploy && alreadyDeployed(n) {
				return delivery.OutcomeSkipped
			}
			return delivery.OutcomeDeployed
		}
	}
	return delivery.OutcomeSucceeded
}

// alreadyDeployed reports whether a deploy step found the release in place.
func alreadyDeployed(n *node) bool {
	var d step.DeployOutput
	return json.Unmarshal(n.end.Result.Output, &d) == nil && d.AlreadyDeployed
}

// cause returns why the step did not succeed, with its name in front, once.
func (n *node) cause() string {
	if c := n.end.Result.Cause; strings.HasPrefix(c, n.spec.Name+" ") || strings.HasPrefix(c, n.spec.Name+":") {
		return n.end.Result.Cause
	}
	return n.spec.Name + ": " + n.end.Result.Cause
}

// releaseOf is the release that the run deployed, or tried to.
func releaseOf(nodes []*node) delivery.ReleaseID {
	for _, n := range slices.Backward(nodes) {
		if n.spec.Kind != step.Deploy && n.spec.Kind != step.Rollback {
			continue
		}
		var d step.DeployOutput
		if json.Unmarshal(n.end.Result.Output, &d) == nil && d.Release != "" {
			return d.Release
		}
	}
	return ""
}

// afterUndo is the result once everything that had to be undone was.
func (v workflowResult) afterUndo(undone []stepState) workflowResult {
	cancelled, changed := v.Outcome == delivery.OutcomeCancelled, false
	for _, u := range undone {
		switch u.Result.Outcome {
		case delivery.OutcomeSkipped: // there was nothing to take back, or it is left as it is for a reason
			if u.Result.Cause != "" {
				v.Cause, v.Hint = v.Cause+"; "+u.Result.Cause, u.Result.Hint
			}
		case delivery.OutcomeSucceeded:
			changed = true
		default:
			v.Outcome = delivery.OutcomeRollbackFailed
			v.Cause += "; the rollback failed: " + u.Result.Cause
			if u.Result.Hint != "" {
				v.Hint = u.Result.Hint
			}
			return v
		}
	}
	if changed && !cancelled {
		v.Outcome = delivery.OutcomeRolledBack
	}
	return v
}

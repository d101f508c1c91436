package plan

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/step"
)

// Box is what test, training and evaluation commands on this machine run in.
type Box struct {
	Kind   string `json:"kind"`             // own | none
	Reason string `json:"reason,omitempty"` // why there is none, if it was wanted
}

// NoBox is the Kind of commands that run as the user of Slipway.
const NoBox = "none"

// boxOf returns the box of a command that runs there.
func (pl *planner) boxOf(on *config.Runner) step.BoxKind {
	if on != nil && on.Kind != "" && on.Kind != localRunner {
		return ""
	}
	return pl.facts.BoxKind
}

// localRunner is the kind of the runner of jobs on this machine.
const localRunner = "local"

// describeBox adds to the plan what its commands run in, if it has any.
func (pl *planner) describeBox() {
	runsCommand := func(s step.Spec) bool { return s.Kind == step.Test || s.Kind == step.Train || s.Kind == step.Evaluate }
	if slices.ContainsFunc(pl.plan.Steps, runsCommand) {
		pl.plan.Box = pl.facts.Box
	}
}

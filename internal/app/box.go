package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// Box is what the commands of a plan run in; NoBox is its Kind without one.
type Box = plan.Box

// NoBox is the Kind of a Box of commands that run as the user of Slipway.
const NoBox = plan.NoBox

// findBox decides what commands of the repository run in: a policy makes it a box, the
// file may, and a machine may not be able to make one.
func (s *session) findBox(ctx context.Context, f *plan.Facts, _ delivery.Environment) error {
	switch kind := step.BoxKind(s.project.Box); {
	case len(s.policy.RequiresBox()) > 0:
		f.BoxKind = step.OwnBox
	case kind == step.OwnBox || kind == step.AutoBox:
		f.BoxKind = kind
	default:
		f.Box = plan.Box{Kind: plan.NoBox}
		return nil
	}
	if s.deps.CheckBox == nil {
		s.noBox = fault.New(fault.Denied, "run the command in a box: not supported")
	} else if s.noBox = s.deps.CheckBox(ctx); s.noBox != nil && ctx.Err() != nil {
		return s.noBox
	}
	f.Box = plan.Box{Kind: string(step.OwnBox)}
	if s.noBox != nil && f.BoxKind == step.AutoBox {
		f.Box = plan.Box{Kind: plan.NoBox, Reason: s.noBox.Error()}
	}
	return nil
}

// checkBoxed refuses to run commands of the repository without a box that the policy or
// the file wants.
func (s *session) checkBoxed(p plan.Plan) error {
	from := s.policy.RequiresBox()
	for _, spec := range p.Steps {
		switch {
		case !onThisMachine(spec) || spec.Action == step.ActionCached:
		case s.noBox != nil && p.Box.Kind == string(step.OwnBox):
			by := "box: own"
			if len(from) > 0 {
				by = "the policy " + from[0]
			}
			return fault.New(fault.Denied, "step %s runs a command of the repository, which needs a box (%s)", spec.Name, by).Location(config.FileName).
				Cause(s.noBox).Hint("%s", fault.HintOf(s.noBox))
		case len(from) > 0 && p.Box.Kind != string(step.OwnBox):
			return fault.New(fault.Denied, "step %s runs a command of the repository without a box, and the policy %s requires a box", spec.Name, from[0]).
				Hint("plan again: `slipway run`")
		}
	}
	return nil
}

// onThisMachine reports whether a step runs a command of the repository here.
func onThisMachine(spec step.Spec) bool {
	switch spec.Kind {
	case step.Test:
		return true
	case step.Train:
		w, err := step.ParamsOf[step.TrainParams](spec)
		return err != nil || w.On == nil
	case step.Evaluate:
		w, err := step.ParamsOf[step.EvaluateParams](spec)
		return err != nil || w.File == ""
	}
	return false
}

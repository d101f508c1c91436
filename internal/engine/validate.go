package engine

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// Names become files and folders, so they are checked before use.
const (
	maxStepName        = 100
	maxEnvironmentName = 63
)

// check refuses a plan that this version can't run, before anything is begun.
func (e *Engine) check(p plan.Plan) error {
	switch {
	case p.Version > plan.Version:
		return fault.New(fault.Conflict, "run %s has a plan of a newer Slipway (version %d, this one knows %d)", p.Run, p.Version, plan.Version).
			Hint("update slipway on this machine")
	case !p.Run.Valid():
		return fault.New(fault.Invalid, "invalid run name %q", p.Run)
	case !delivery.Name(p.Environment).IsFileName(maxEnvironmentName):
		return fault.New(fault.Invalid, "%q is not the name of an environment", p.Environment).
			Hint("use letters, digits, dots, dashes and underscores")
	}
	seen := map[string]bool{}
	for _, s := range p.Steps {
		if err := e.checkStep(s, seen); err != nil {
			return err
		}
		seen[s.Name] = true
	}
	for _, s := range p.Steps {
		if s.Undo != "" && seen[undoName(s)] {
			return fault.New(fault.Invalid, "the plan has a step named %s, which is the name for taking back %s", undoName(s), s.Name)
		}
	}
	return nil
}

// checkStep holds one step against those before it.
func (e *Engine) checkStep(s step.Spec, before map[string]bool) error {
	if !delivery.Name(s.Name).IsFileName(maxStepName) {
		return fault.New(fault.Invalid, "%q is not the name of a step", s.Name).
			Hint("use letters, digits, dots, dashes and underscores")
	}
	if before[s.Name] {
		return fault.New(fault.Invalid, "the plan has two steps named %s", s.Name)
	}
	for _, need := range s.Needs {
		if !before[need] {
			return fault.New(fault.Invalid, "step %s needs %s, which does not come before it", s.Name, need)
		}
	}
	for _, kind := range []step.Kind{s.Kind, s.Undo} {
		if kind != "" && e.Steps[kind] == nil {
			return fault.New(fault.Conflict, "step %s is of the kind %q, which this Slipway does not know", s.Name, kind).
				Hint("update slipway on this machine")
		}
	}
	if s.Kind == "" {
		return fault.New(fault.Invalid, "step %s has no kind", s.Name)
	}
	return nil
}

// undoName is the name under which a step is taken back: "rollback.deploy".
func undoName(s step.Spec) string { return string(s.Undo) + "." + s.Name }

package plan

import (
	"encoding/json"
	"regexp"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

const maxSteps = 500

var gitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})?$`)

// Validate checks a plan that was stored: it may be damaged, or not ours. A
// newer one than this program supports is fault.Conflict, anything else, such as
// a step that is not of one of the kinds, fault.Corrupt.
func Validate(p Plan, kinds []step.Kind) error {
	if err := validateForm(p); err != nil {
		return err
	}
	for _, s := range p.Steps {
		for _, kind := range []step.Kind{s.Kind, s.Undo} {
			if kind != "" && !slices.Contains(kinds, kind) {
				return fault.New(fault.Corrupt, "step %q of the plan has unknown kind %q", s.Name, kind)
			}
		}
	}
	return nil
}

// validateForm checks everything but the kinds of the steps.
func validateForm(p Plan) error {
	bad := func(format string, args ...any) *fault.Error { return fault.New(fault.Corrupt, format, args...) }
	switch {
	case p.Version > Version:
		return fault.New(fault.Conflict, "the plan has version %d; this slipway supports up to %d", p.Version, Version).
			Hint("use the version of slipway that created it, or a newer one")
	case p.Version < 1:
		return bad("the plan has invalid version %d", p.Version)
	case p.Purpose != Deliver && p.Purpose != Promote && p.Purpose != Rollback:
		return bad("the plan has unknown purpose %q", p.Purpose)
	case !p.Run.Valid():
		return bad("%q is not a valid run ID", p.Run)
	case !delivery.Name(p.Service).IsLabel():
		return bad("%q is not a valid service name", p.Service)
	case !delivery.Name(p.Environment).IsLabel():
		return bad("%q is not a valid environment name", p.Environment)
	case !gitPattern.MatchString(p.Commit.SHA) || !gitPattern.MatchString(p.Commit.Tree):
		return bad("the plan has an invalid commit %q or tree %q", p.Commit.SHA, p.Commit.Tree)
	case p.Replaces != "" && !p.Replaces.Valid():
		return bad("%q is not a valid release ID", p.Replaces)
	case len(p.Steps) > maxSteps:
		return bad("the plan has too many steps (%d)", len(p.Steps))
	case len(p.Steps) == 0 && p.Skip == "":
		return bad("the plan has no steps and no reason to skip them")
	}
	before := map[string]bool{}
	for _, s := range p.Steps {
		if why := stepProblem(s, before); why != "" {
			return bad("step %q of the plan %s", s.Name, why)
		}
		before[s.Name] = true
	}
	return nil
}

// stepProblem returns what is wrong with a step after those before it, or "".
func stepProblem(s step.Spec, before map[string]bool) string {
	var with map[string]any
	switch {
	case !delivery.Name(s.Name).IsStepName():
		return "has an invalid name"
	case before[s.Name]:
		return "is duplicated"
	case s.Kind == "":
		return "has no kind"
	case s.Action != step.ActionRun && s.Action != step.ActionCached && s.Action != step.ActionSkip:
		return "has unknown action " + string(s.Action)
	case s.Inputs != "" && !s.Inputs.Valid():
		return "has an invalid input digest"
	case s.Timeout < 0 || s.Retries < 0:
		return "has a negative timeout or number of retries"
	case len(s.Params) > 0 && (json.Unmarshal(s.Params, &with) != nil || with == nil):
		return "has parameters that are not a JSON object"
	}
	for _, n := range s.Reads {
		if !slices.Contains(s.Needs, n) {
			return "reads " + n + ", which is not among its needs"
		}
	}
	for _, n := range s.Needs {
		if !before[n] {
			return "needs " + n + ", which does not precede it"
		}
	}
	return ""
}

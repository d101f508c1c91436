// Package extension describes what can be plugged into Slipway: targets,
// notifiers, builders, scanners, model registries, job runners, state stores and steps. Each of
// them is one value that holds its kind, its section of slipway.yaml, its
// constructor, and what it is able to do. Configuration, JSON Schema, plans and
// the wiring of the program derive from a Set of such values; nothing registers
// itself.
package extension

import (
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// Kind names an extension in slipway.yaml and in stored plans, so a kind that
// was released is never renamed.
type Kind string

// Set is everything that slipway.yaml can name. The first scanner, model registry
// and job runner are the defaults.
type Set struct {
	Targets         []Target
	Notifiers       []Notifier
	Builders        []Builder
	Scanners        []Scanner
	ModelRegistries []ModelRegistry
	JobRunners      []JobRunner
	StateStores     []StateStore
	Steps           []Step
	AWS             AWSParts
}

// Target returns the target of that kind. An unknown kind is fault.Invalid, as it
// is for the other lookups.
func (s Set) Target(kind Kind) (Target, error) {
	return find("target", s.Targets, kind, func(t Target) Kind { return t.Kind })
}

// Notifier returns the notifier of that kind.
func (s Set) Notifier(kind Kind) (Notifier, error) {
	return find("notifier", s.Notifiers, kind, func(n Notifier) Kind { return n.Kind })
}

// Builder returns the image builder of that kind.
func (s Set) Builder(kind Kind) (Builder, error) {
	return find("builder", s.Builders, kind, func(b Builder) Kind { return b.Kind })
}

// Scanner returns the vulnerability scanner of that kind.
func (s Set) Scanner(kind Kind) (Scanner, error) {
	return find("scanner", s.Scanners, kind, func(c Scanner) Kind { return c.Kind })
}

// ModelRegistry returns the model registry of that kind; the empty kind is the
// default.
func (s Set) ModelRegistry(kind Kind) (ModelRegistry, error) {
	if kind == "" && len(s.ModelRegistries) > 0 {
		return s.ModelRegistries[0], nil
	}
	return find("model registry", s.ModelRegistries, kind, func(r ModelRegistry) Kind { return r.Kind })
}

// JobRunner returns the job runner of that kind; the empty kind is the default.
func (s Set) JobRunner(kind Kind) (JobRunner, error) {
	if kind == "" && len(s.JobRunners) > 0 {
		return s.JobRunners[0], nil
	}
	return find("job runner", s.JobRunners, kind, func(r JobRunner) Kind { return r.Kind })
}

// StepKinds lists the kinds of steps.
func (s Set) StepKinds() []step.Kind {
	kinds := make([]step.Kind, len(s.Steps))
	for i, st := range s.Steps {
		kinds[i] = st.Kind
	}
	return kinds
}

// OptionalStep returns the step that a top-level section named key switches on.
func (s Set) OptionalStep(key string) (Step, bool) {
	for _, st := range s.Steps {
		if st.Section.New != nil && string(st.Kind) == key {
			return st, true
		}
	}
	return Step{}, false
}

// Commands lists the internal commands of all extensions.
func (s Set) Commands() []Command {
	var all []Command
	for _, t := range s.Targets {
		all = append(all, t.Commands...)
	}
	for _, b := range s.Builders {
		all = append(all, b.Commands...)
	}
	for _, r := range s.JobRunners {
		all = append(all, r.Commands...)
	}
	return all
}

func find[T any](what string, all []T, kind Kind, kindOf func(T) Kind) (T, error) {
	var known []string
	for _, x := range all {
		if kindOf(x) == kind {
			return x, nil
		}
		known = append(known, string(kindOf(x)))
	}
	var zero T
	return zero, fault.New(fault.Invalid, "unknown kind of %s %q", what, kind).Hint("%s", fault.DidYouMean(string(kind), known))
}

// Validate reports the first entry that is incomplete or duplicated.
func (s Set) Validate() error {
	v := validator{seen: map[string]bool{}}
	for _, t := range s.Targets {
		v.add("target", t.Kind, t.New != nil && t.Section.New != nil)
	}
	for _, n := range s.Notifiers {
		v.add("notifier", n.Kind, n.New != nil && n.Section.New != nil)
	}
	for _, b := range s.Builders {
		v.add("builder", b.Kind, b.New != nil && b.Section.New != nil)
	}
	for _, c := range s.Scanners {
		v.add("scanner", c.Kind, c.New != nil)
	}
	for _, r := range s.ModelRegistries {
		v.add("model registry", r.Kind, r.New != nil && (r.Section.New == nil || r.Address != nil))
	}
	for _, r := range s.JobRunners {
		v.add("job runner", r.Kind, r.New != nil && r.Section.New != nil)
	}
	for _, store := range s.StateStores {
		v.add("state store", store.Kind, store.Open != nil && len(store.Schemes) > 0)
	}
	for _, st := range s.Steps {
		v.add("step", Kind(st.Kind), st.New != nil)
	}
	for _, c := range s.Commands() {
		v.add("command", Kind(c.Name), c.Run != nil)
	}
	if len(v.problems) > 0 {
		return fault.New(fault.Internal, "the extensions are inconsistent: %s", strings.Join(v.problems, "; "))
	}
	return nil
}

type validator struct {
	seen     map[string]bool
	problems []string
}

func (v *validator) add(what string, kind Kind, complete bool) {
	key := fmt.Sprintf("%s %q", what, kind)
	if v.seen[key] {
		v.problems = append(v.problems, key+" is duplicated")
	}
	if kind == "" || !complete {
		v.problems = append(v.problems, key+" is incomplete")
	}
	v.seen[key] = true
}

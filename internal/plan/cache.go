package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// addCached appends a step whose result may be known, and says whether it is.
// What it reads decides its key; what it merely needs does not: a new test is no
// reason to train again.
func (m *maker) addCached(s step.Spec, in input, with any, reads ...string) {
	s.Cacheable, s.Inputs, s.Reads = true, in.digest, append([]string{}, reads...)
	m.add(s, with)
	last := &m.plan.Steps[len(m.plan.Steps)-1]
	last.Action, last.Reason = m.expect(*last, in)
}

// expect says what the engine will find when it comes to the step.
func (m *maker) expect(s step.Spec, in input) (step.Action, string) {
	if s.SkipCache {
		return step.ActionRun, "--retrain"
	}
	given := map[string]json.RawMessage{}
	for _, name := range s.Reads {
		output, ok := m.known[name]
		if !ok {
			return step.ActionRun, name + " may change its result"
		}
		given[name] = output
	}
	if known, ok := m.recall(s, given); ok {
		m.known[s.Name] = known.Output
		if known.Ended.IsZero() {
			return step.ActionCached, "nothing that it depends on changed"
		}
		return step.ActionCached, "nothing that it depends on changed since " + known.Ended.UTC().Format(time.DateTime)
	}
	return step.ActionRun, m.because(in)
}

func (m *maker) recall(s step.Spec, given map[string]json.RawMessage) (step.Result, bool) {
	if m.facts.CachedResult == nil {
		return step.Result{}, false
	}
	return m.facts.CachedResult(s, given)
}

// because names the change that makes a step run, if the commit has one.
func (m *maker) because(in input) string {
	c := m.facts.Changed
	if c == nil {
		return "it never ran with these inputs"
	}
	var changed []string
	for _, path := range c.Paths {
		if in.depends(path) {
			changed = append(changed, path)
		}
	}
	switch len(changed) {
	case 0:
		return "no result for these inputs is kept"
	case 1:
		return fmt.Sprintf("%s changed since %s", changed[0], c.Since)
	}
	return fmt.Sprintf("%s and %d more changed since %s", changed[0], len(changed)-1, c.Since)
}

// skip says why the commit changes nothing that is delivered, or "". It never
// does when nothing serves, when somebody asked for a part of the run, or when
// something outside of the commit changed.
func (m *maker) skip() string {
	f := m.facts
	if f.Serving == nil || f.ServingRelease == nil || f.Changed == nil || len(f.Changed.Paths) == 0 ||
		m.trigger.Retrain || m.trigger.Until != "" || !m.sameModel() {
		return ""
	}
	for _, path := range f.Changed.Paths {
		if !m.ignored(path) {
			return ""
		}
	}
	return fmt.Sprintf("only files that source.ignore names changed since %s: %s", f.Changed.Since, fault.Enumerate(f.Changed.Paths))
}

// sameModel tells whether the model that would be delivered is, as far as the
// plan can know, the one that serves.
func (m *maker) sameModel() bool {
	model, serves := m.project.Model, m.facts.ServingRelease.Release.Model
	switch {
	case model == nil:
		return serves == nil
	case serves == nil:
		return false
	case model.Train == nil:
		return m.facts.LatestApproved != nil && m.facts.LatestApproved.ModelRef == *serves
	}
	paths, data := m.data()
	known := data != "" || len(paths) == 0
	return known && m.facts.Champion != nil && m.facts.Champion.Lineage.Data == data
}

package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// addCached appends a step whose result may be cached, with the action that is
// expected. What it reads decides its key; what it merely needs does not: a new
// test is no reason to train again.
func (pl *planner) addCached(s step.Spec, in input, with any, reads ...string) {
	s.Cacheable, s.Inputs, s.Reads = true, in.digest, append([]string{}, reads...)
	pl.add(s, with)
	last := &pl.plan.Steps[len(pl.plan.Steps)-1]
	last.Action, last.Reason = pl.expectedAction(*last, in)
}

// expectedAction predicts what the engine will do with the step, and why.
func (pl *planner) expectedAction(s step.Spec, in input) (step.Action, string) {
	if s.SkipCache {
		if s.Kind == step.Build {
			return step.ActionRun, "--rebuild"
		}
		return step.ActionRun, "--retrain"
	}
	given := map[string]json.RawMessage{}
	for _, name := range s.Reads {
		output, ok := pl.cachedOutputs[name]
		if !ok {
			return step.ActionRun, name + " may change the result"
		}
		given[name] = output
	}
	if known, ok := pl.lookupCache(s, given); ok {
		pl.cachedOutputs[s.Name] = known.Output
		if known.Ended.IsZero() {
			return step.ActionCached, "inputs unchanged"
		}
		return step.ActionCached, "inputs unchanged since " + known.Ended.UTC().Format(time.DateTime) + " UTC"
	}
	if s.Kind == step.Build {
		return pl.expectedBuild(s, in)
	}
	reason := pl.changeReason(in)
	if since := pl.dataChanged(); since != "" && (s.Kind == step.Train || s.Kind == step.Evaluate) {
		reason = "the data changed since " + since + "; " + reason
	}
	return step.ActionRun, reason
}

// dataChanged names the deployed model if it was trained with other data; "": it was
// not, or that is not known.
func (pl *planner) dataChanged() string {
	_, data := pl.data()
	champion := pl.facts.Champion
	if champion == nil || data == "" || champion.Lineage.Data == "" || champion.Lineage.Data == data {
		return ""
	}
	return champion.String()
}

// expectedBuild predicts whether an image that is not cached is built, or found in
// the registry.
func (pl *planner) expectedBuild(s step.Spec, in input) (step.Action, string) {
	reason := pl.changeReason(in)
	w, err := step.ParamsOf[step.BuildParams](s)
	if err != nil || w.Reproducible() || w.NoLookup || pl.facts.ExistingResult == nil {
		return step.ActionRun, reason
	}
	found, ok := pl.facts.ExistingResult(s)
	if !ok {
		return step.ActionRun, reason + ", and no image of these inputs in the registry"
	}
	pl.cachedOutputs[s.Name] = found.Output
	var built step.BuildOutput
	if json.Unmarshal(found.Output, &built) != nil {
		return step.ActionRun, reason
	}
	return step.ActionCached, "built before from the same inputs: sha256:" + built.Digest.Short()
}

func (pl *planner) lookupCache(s step.Spec, given map[string]json.RawMessage) (step.Result, bool) {
	if pl.facts.CachedResult == nil {
		return step.Result{}, false
	}
	return pl.facts.CachedResult(s, given)
}

// changeReason names the change that invalidates a step's cached result, if the
// commit has one.
func (pl *planner) changeReason(in input) string {
	c := pl.facts.Changed
	if c == nil {
		return "no previous run with these inputs"
	}
	var changed []string
	for _, path := range c.Paths {
		if in.matches(path) {
			changed = append(changed, path)
		}
	}
	switch len(changed) {
	case 0:
		return "no cached result for these inputs"
	case 1:
		return fmt.Sprintf("%s changed since %s", changed[0], c.Since)
	}
	return fmt.Sprintf("%s and %d more changed since %s", changed[0], len(changed)-1, c.Since)
}

// skipReason returns why the commit changes nothing that is delivered, or "". A
// run is never skipped when nothing is deployed, when only a part of it was
// requested, or when something outside the commit changed.
func (pl *planner) skipReason() string {
	f := pl.facts
	if f.Serving == nil || f.Serving.Unsigned || f.ServingRelease == nil || f.Changed == nil || len(f.Changed.Paths) == 0 ||
		pl.trigger.Retrain || pl.trigger.Rebuild || pl.trigger.Until != "" || !pl.modelUnchanged() {
		return ""
	}
	for _, path := range f.Changed.Paths {
		if !pl.isIgnored(path) {
			return ""
		}
	}
	return fmt.Sprintf("only files matched by source.ignore changed since %s: %s", f.Changed.Since, fault.Enumerate(f.Changed.Paths))
}

// modelUnchanged reports whether the model to be delivered is, as far as the plan
// can tell, the deployed one.
func (pl *planner) modelUnchanged() bool {
	model, serves := pl.project.Model, pl.facts.ServingRelease.Release.Model
	switch {
	case model == nil:
		return serves == nil
	case serves == nil:
		return false
	case pl.trigger.Model != "":
		return pl.facts.RequestedModel.ModelRef == *serves
	case model.Train == nil:
		return pl.facts.LatestApproved != nil && pl.facts.LatestApproved.ModelRef == *serves
	}
	paths, data := pl.data()
	known := data != "" || len(paths) == 0
	return known && pl.facts.Champion != nil && pl.facts.Champion.Lineage.Data == data
}

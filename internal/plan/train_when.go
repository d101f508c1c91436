package plan

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/step"
)

// holdTraining takes training out of the project where the file wants a person to start
// it: the newest approved version is delivered instead. A model that has been trained
// from these inputs is delivered in any case but never: it costs nothing.
func (pl *planner) holdTraining() error {
	if !pl.trains() {
		return nil
	}
	m := pl.project.Model
	when := m.TrainsWhen()
	isPull := pl.trigger.Event == PullRequestEvent && m.IsHeldForPulls()
	if when != config.TrainNever && !isPull && (when == config.TrainChanged || pl.trigger.Retrain) {
		return nil
	}
	if when != config.TrainNever {
		made, err := pl.isMade()
		if err != nil || made {
			return err
		}
		note := "training inputs changed; not retrained (when: manual)"
		pl.plan.Held = fmt.Sprintf("%s: `slipway run --env %s --retrain` trains", note, pl.plan.Environment)
		if isPull {
			note = "pull requests do not " + elsewhere(*m)
			pl.plan.Held = note
		}
		pl.notes = append(pl.notes, note)
	}
	model := *pl.project.Model
	model.Train, model.Evaluate = nil, nil
	pl.project.Model = &model
	return nil
}

// elsewhere names what runs on other machines: "train on kubernetes".
func elsewhere(m config.Model) string {
	if m.Train.On != nil && m.Train.On.Remote {
		return fmt.Sprintf("train on %s", m.Train.On.Kind)
	}
	return fmt.Sprintf("evaluate on %s", m.Evaluate.On.Kind)
}

// isMade reports whether training from the inputs of this commit has a cached result, and
// evaluation, too, where that runs elsewhere.
func (pl *planner) isMade() (bool, error) {
	probe := planner{project: pl.project, trigger: pl.trigger, facts: pl.facts, env: pl.env, plan: pl.plan, cachedOutputs: map[string]json.RawMessage{}}
	if err := probe.train(nil); err != nil {
		return false, err
	}
	isCached := func(kind step.Kind) bool {
		return slices.ContainsFunc(probe.plan.Steps, func(s step.Spec) bool { return s.Kind == kind && s.Action == step.ActionCached })
	}
	e := pl.project.Model.Evaluate
	return isCached(step.Train) && (e == nil || !e.IsRemote() || isCached(step.Evaluate)), nil
}

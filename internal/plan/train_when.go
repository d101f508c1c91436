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
	train := pl.project.Model.Train
	when := train.RunsWhen()
	isPull := pl.trigger.Event == PullRequestEvent && train.IsHeldForPulls()
	if when != config.TrainNever && !isPull && (when == config.TrainChanged || pl.trigger.Retrain) {
		return nil
	}
	if when != config.TrainNever {
		trained, err := pl.isTrained()
		if err != nil || trained {
			return err
		}
		note := "training inputs changed; not retrained (when: manual)"
		if isPull {
			note = fmt.Sprintf("pull requests do not train on %s", train.On.Kind)
		}
		pl.notes = append(pl.notes, note)
	}
	model := *pl.project.Model
	model.Train, model.Evaluate = nil, nil
	pl.project.Model = &model
	return nil
}

// isTrained reports whether training from the inputs of this commit has a cached result.
func (pl *planner) isTrained() (bool, error) {
	probe := planner{project: pl.project, trigger: pl.trigger, facts: pl.facts, env: pl.env, plan: pl.plan, cachedOutputs: map[string]json.RawMessage{}}
	if err := probe.train(nil); err != nil {
		return false, err
	}
	return slices.ContainsFunc(probe.plan.Steps, func(s step.Spec) bool { return s.Kind == step.Train && s.Action == step.ActionCached }), nil
}

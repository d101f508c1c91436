package plan

import (
	"encoding/json"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/step"
)

// holdTraining takes training out of the project where the file wants a person to start
// it: the newest approved version is delivered instead. A model that has been trained
// from these inputs is delivered in any case but never: it costs nothing.
func (pl *planner) holdTraining() error {
	if !pl.trains() || pl.trigger.Retrain {
		return nil
	}
	model := *pl.project.Model
	switch model.Train.When {
	case config.TrainNever:
	case config.TrainManual:
		trained, err := pl.isTrained()
		if err != nil || trained {
			return err
		}
		pl.notes = append(pl.notes, "training inputs changed; not retrained (when: manual)")
	default:
		return nil
	}
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

package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// deliver plans the pipeline that takes a commit into the environment.
func (pl *planner) deliver() error {
	p := pl.project
	if err := pl.checkRetrain(); err != nil {
		return err
	}
	if err := pl.checkAlso(); err != nil {
		return err
	}
	if err := pl.holdTraining(); err != nil {
		return err
	}
	model, err := pl.pinnedModel()
	if err != nil && (pl.env.Deploys() || pl.trigger.Model != "") {
		return err
	}
	if pl.plan.Skip = pl.skipReason(); pl.plan.Skip != "" {
		return nil
	}
	tests, err := pl.tests()
	if err != nil {
		return err
	}
	if err := pl.build(tests); err != nil {
		return err
	}
	ready := []string{pushStep}
	registers := pl.trains()
	if registers {
		if err := pl.train(tests); err != nil {
			return err
		}
		ready = append(ready, registerStep)
	}
	if p.Sign != nil {
		pl.attest(ready, model)
		ready = []string{pushStep, attestStep}
	}
	if pl.approve(registers, ready) {
		ready = []string{pushStep, approveStep}
	}
	optional, err := pl.addOptional(extension.BeforeDeploy, ready)
	if err != nil {
		return err
	}
	ready = append(ready, optional...)
	if !pl.env.Deploys() {
		return nil
	}
	deploy := pl.deployParams(model)
	pl.rollout(ready, deploy)
	switch unchanged := pl.unchangedReason(deploy); {
	case unchanged == "":
	case len(pl.facts.Drift) > 0:
		pl.plan.Repairs = pl.facts.Serving.Release
	default:
		pl.plan.Skip, pl.plan.Steps = unchanged, nil
	}
	return nil
}

func (pl *planner) checkRetrain() error {
	m := pl.project.Model
	switch {
	case !pl.trigger.Retrain:
		return nil
	case m != nil && m.Train != nil && m.Train.When == config.TrainNever:
		return fault.New(fault.Invalid, "--retrain: model.train.when is never").Hint("set it to manual: then only --retrain trains")
	case m != nil && m.Train != nil:
		return nil
	case pl.env.Model != nil && pl.env.Model.Train != nil && pl.env.Model.Train.Never:
		return fault.New(fault.Invalid, "--retrain: environments.%s.model.train is false", pl.plan.Environment).
			Hint("train in another environment")
	}
	return fault.New(fault.Invalid, "--retrain: %s has no model.train section", config.FileName)
}

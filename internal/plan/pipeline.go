package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// deliver plans the pipeline that takes a commit into the environment.
func (pl *planner) deliver() error {
	p := pl.project
	if pl.trigger.Retrain && (p.Model == nil || p.Model.Train == nil) {
		return fault.New(fault.Invalid, "--retrain: %s has no model.train section", config.FileName)
	}
	deploy, err := pl.deployParams()
	if err != nil {
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
		pl.attest(ready, deploy.Model)
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
	pl.rollout(ready, deploy)
	return nil
}

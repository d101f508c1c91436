package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// pinnedModel resolves "the newest approved version" once, for a project that
// delivers a model without training it.
func (pl *planner) pinnedModel() (*delivery.ModelRef, error) {
	model := pl.project.Model
	if model == nil || model.Train != nil {
		return nil, nil
	}
	latest := pl.facts.LatestApproved
	if latest == nil || latest.Status != delivery.Approved || latest.Group != model.Group {
		return nil, fault.New(fault.NotFound, "model %s has no approved version", model.Group).
			Hint("see `slipway models`; approve a version with `slipway approve`, or add model.train to %s", config.FileName)
	}
	ref := latest.ModelRef
	return &ref, nil
}

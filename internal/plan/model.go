package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// trains reports whether this plan trains and registers the model, or finds that it
// has been trained.
func (pl *planner) trains() bool {
	model := pl.project.Model
	return model != nil && model.Train != nil && pl.trigger.Model == ""
}

// pinnedModel resolves "the newest approved version" once, for a project that
// delivers a model without training it, or the version that the trigger names.
func (pl *planner) pinnedModel() (*delivery.ModelRef, error) {
	model := pl.project.Model
	if pl.trigger.Model != "" {
		return pl.requestedModel()
	}
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

// requestedModel is the approved version that the trigger names.
func (pl *planner) requestedModel() (*delivery.ModelRef, error) {
	model, m := pl.project.Model, pl.facts.RequestedModel
	switch {
	case model == nil:
		return nil, fault.New(fault.Invalid, "--model: %s has no model section", config.FileName)
	case m == nil || m.String() != pl.trigger.Model:
		return nil, fault.New(fault.NotFound, "model %s not found", pl.trigger.Model).Hint("see `slipway models`")
	case m.Group != model.Group:
		return nil, fault.New(fault.Invalid, "--model %s: %s delivers models of the group %s", m, config.FileName, model.Group).
			Hint("see `slipway models --group %s`", model.Group)
	case m.Status != delivery.Approved:
		return nil, fault.New(fault.Denied, "model %s is not approved (%s)", m, m.Status).
			Hint("approve it first: slipway approve %s", m)
	}
	ref := m.ModelRef
	return &ref, nil
}

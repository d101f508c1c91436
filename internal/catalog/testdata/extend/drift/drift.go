// Package drift is a step that a test adds.
package drift

import (
	"context"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Kind of the step.
const Kind step.Kind = "drift"

// Params are the section drift, and the parameters in a plan.
type Params struct {
	Limit float64 `yaml:"limit" json:"limit" jsonschema:"required,minimum=0,maximum=1" jsonschema_description:"Highest distance of the distributions."`
}

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{
		Kind: Kind, New: func(p extension.Ports) step.Step { return Step{Models: p.Models} },
		Section: extension.SectionOf[Params](nil), Description: "Compare live data with training data.",
		Stage: extension.BeforeDeploy, Reason: "live data change",
	}
}

// Step compares.
type Step struct{ Models port.ModelRegistry }

// Run reads its parameters.
func (s Step) Run(_ context.Context, r step.Request) (step.Result, error) {
	p, err := step.ParamsOf[Params](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	return step.Succeed("within the limit", p)
}

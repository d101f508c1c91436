package verify

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Verify, New: func(p extension.Ports) step.Step {
		return Step{rollout.ServicesFrom(p)}
	}}
}

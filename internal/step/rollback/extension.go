package rollback

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Rollback, New: func(p extension.Ports) step.Step {
		return Step{
			Services: rollout.ServicesFrom(p),
			Trust:    trust.Verifier{Attestations: p.Attestations, Signatures: p.Signatures},
		}
	}}
}

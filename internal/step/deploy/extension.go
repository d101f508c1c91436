package deploy

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Deploy, New: func(p extension.Ports) step.Step {
		return Step{
			Services: rollout.ServicesFrom(p), ModelImages: p.ModelImages, Metrics: p.Metrics, Approvals: p.Approvals,
			Trust: trust.Verifier{Attestations: p.Attestations, Signatures: p.Signatures},
		}
	}}
}

package attest

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Attest, New: func(p extension.Ports) step.Step {
		return Step{
			Signers: p.Signers, Attestations: p.Attestations, Models: p.Models, ModelImages: p.ModelImages,
			ContainsSecret: p.ContainsSecret, Version: p.Version,
		}
	}}
}

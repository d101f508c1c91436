package build

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Build, New: func(p extension.Ports) step.Step {
		return Step{Builders: p.Builders, Images: p.Images}
	}}
}

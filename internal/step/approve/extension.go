package approve

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Approve, New: func(p extension.Ports) step.Step {
		return Step{Models: p.Models, Approvals: p.Approvals, Monitors: p.Monitors}
	}}
}

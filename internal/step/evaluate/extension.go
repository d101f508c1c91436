package evaluate

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

// Extension describes the step to the catalog. Training and evaluation share a
// hasher: they read the same data.
func Extension(hasher digest.Hasher) extension.Step {
	return extension.Step{Kind: step.Evaluate, New: func(p extension.Ports) step.Step {
		return Step{
			Jobs: p.Jobs, JobsOn: p.JobsOn, Commands: p.Commands, Deployments: p.Deployments, Releases: p.Releases, Models: p.Models, Hasher: hasher, Datasets: p.Datasets,
			Costs: p.Costs, Approvals: p.Approvals,
		}
	}}
}

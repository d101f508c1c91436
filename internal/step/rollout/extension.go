package rollout

import "github.com/slipway-cd/slipway/internal/extension"

// ServicesFrom takes what steps on a target need from the ports of all steps.
func ServicesFrom(p extension.Ports) Services {
	return Services{
		Targets: p.Targets, Releases: p.Releases, Deployments: p.Deployments, Models: p.Models, Log: p.Log, Prober: p.Prober, Monitors: p.Monitors, Images: p.Images,
	}
}

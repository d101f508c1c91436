package kubernetes

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// instance is a release as it ran, or runs, in an environment: with its own
// configuration, or as the environment overrode it.
type instance struct {
	name    delivery.ReleaseID
	release delivery.Release
	held    bool // quarantined
}

// instancesOf lists all that a history names, newest first.
func instancesOf(h port.History) []instance {
	var all []instance
	for _, rel := range h.Releases {
		all = append(all, instance{rel.ID, rel.Release, rel.Quarantined != nil})
		for _, d := range h.Deployments {
			known := func(i instance) bool { return i.name == d.Instance() }
			if d.Release == rel.ID && d.Config != nil && !slices.ContainsFunc(all, known) {
				all = append(all, instance{d.Instance(), rel.Release.WithConfiguration(d.Config), rel.Quarantined != nil})
			}
		}
	}
	return all
}

// wasAccepted reports whether what runs under the name was deployed here
// successfully.
func wasAccepted(h port.History, name delivery.ReleaseID) bool {
	return slices.ContainsFunc(h.Deployments, func(d delivery.Deployment) bool {
		return d.Instance() == name && !d.ServingAt.IsZero()
	})
}

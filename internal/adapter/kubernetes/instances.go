package kubernetes

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// instance is a release as it ran, or runs, in an environment: with its own
// configuration, or as the environment overrode it.
type instance struct {
	name     delivery.ReleaseID
	release  delivery.Release
	held     bool // quarantined
	unsigned bool // no trusted key vouches for it
}

// instancesOf lists all that a history names, newest first.
func instancesOf(h port.History) []instance {
	var all []instance
	for _, rel := range h.Releases {
		held := rel.Quarantined != nil && !rel.Quarantined.Unsigned
		all = append(all, instance{rel.ID, rel.Release, held, rel.Unsigned})
		for _, d := range h.Deployments {
			known := func(i instance) bool { return i.name == d.Instance() }
			if d.Release == rel.ID && d.Config != nil && !slices.ContainsFunc(all, known) {
				all = append(all, instance{d.Instance(), rel.Release.WithConfiguration(d.Config), held, rel.Unsigned || d.Unsigned})
			}
		}
	}
	return all
}

// instancesFor lists what a request is about and what a history names. The request comes
// from records that are trusted: it stands in for what is unsigned.
func instancesFor(o port.DeployRequest, h port.History) []instance {
	all := instancesOf(h)
	given := []instance{{name: o.ID, release: o.Release}}
	if o.Current != nil {
		given = append(given, instance{name: o.Current.ID, release: o.Current.Release})
	}
	for _, g := range given {
		i := slices.IndexFunc(all, func(i instance) bool { return i.name == g.name })
		switch {
		case g.name == "":
		case i < 0:
			all = append(all, g)
		case all[i].unsigned:
			all[i].release, all[i].unsigned = g.release, false
		}
	}
	return all
}

// wasAccepted reports whether what runs under the name was deployed here
// successfully.
func wasAccepted(h port.History, name delivery.ReleaseID) bool {
	return slices.ContainsFunc(h.Deployments, func(d delivery.Deployment) bool {
		return d.Instance() == name && !d.ServingAt.IsZero() && !d.Unsigned
	})
}

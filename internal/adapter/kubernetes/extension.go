package kubernetes

import (
	"regexp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	contextPattern = `^[^\s\x00-\x1f]+$` // contexts hold ARNs and paths
)

var registryPattern = regexp.MustCompile(`^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]{0,120}):[0-9]{1,5}$`)

// Extension describes the target to the catalog.
func Extension() extension.Target {
	return extension.Target{
		Kind: "kubernetes", Description: "A Kubernetes cluster, 1.29 or newer.",
		Example: "kubernetes: {context: ..., namespace: ...}", Section: extension.SectionOf(check),
		Abilities: extension.Abilities{Manifests: true, Strategies: true, Canary: true, ModelImages: true},
		New:       func(h extension.Host) (port.Target, error) { return New(configOf(h)), nil },
	}
}

func configOf(h extension.Host) Config {
	return Config{Repository: h.Repository, HistoryKeys: h.HistoryKeys, Signers: h.Signers, Signatures: h.Signatures}
}

func check(s *Section, c extension.Checker) {
	if s.Namespace != "" {
		c.MatchPattern("namespace", s.Namespace, delivery.LabelPattern, "lower-case letters, digits and dashes, at most 63")
	}
	if s.Context != "" {
		c.MatchPattern("context", s.Context, contextPattern, "see `kubectl config get-contexts`")
	}
	if s.Registry != "" && !registryPattern.MatchString(s.Registry) {
		c.Fail("registry", "such as 127.0.0.1:5000", "invalid address %q (want HOST:PORT)", s.Registry)
	}
	if isEmbedded(c.ImageRepository()) && s.Registry == "" {
		c.Fail("", "add a registry host to image.repository, or set registry: HOST:PORT to the address where the nodes reach `slipway registry`",
			"the cluster cannot pull %q from Slipway's embedded registry", c.ImageRepository())
	}
}

// isEmbedded reports whether images of the repository are in Slipway's own registry.
func isEmbedded(repository string) bool {
	host, _ := delivery.SplitRepository(repository)
	return host == ""
}

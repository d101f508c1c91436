package oci

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Control is the control plane of some registries: what their data plane does not tell.
type Control interface {
	// Manages reports whether it is that of the registry at host.
	Manages(host string) bool
	// CheckRepository is that of port.RepositoryChecker, for a path in the registry.
	CheckRepository(ctx context.Context, host, path string, create bool) (drift []string, err error)
	// CheckImage is CheckPull of port.PullChecker.
	CheckImage(ctx context.Context, host, path string, digest delivery.Digest) error
}

var (
	_ port.RepositoryChecker = (*Registry)(nil)
	_ port.PullChecker       = (*Registry)(nil)
)

// CheckRepository asks the control plane, where the registry has one.
func (r *Registry) CheckRepository(ctx context.Context, name string, create bool) ([]string, error) {
	n, err := repository.Parse(name)
	if err != nil || !r.managed(n) {
		return nil, err
	}
	return r.c.Control.CheckRepository(ctx, n.Host, n.Path, create)
}

// CheckPull asks the control plane, where the registry has one, and otherwise whether the
// registry has the manifest.
func (r *Registry) CheckPull(ctx context.Context, img delivery.Image) error {
	n, err := repository.Parse(img.Repository)
	switch {
	case err != nil:
		return err
	case r.managed(n):
		return r.c.Control.CheckImage(ctx, n.Host, n.Path, img.Digest)
	case n.Host == "":
		return nil
	}
	has, err := r.Has(ctx, img)
	if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Denied) {
		return nil // who deploys need not reach what the nodes pull from
	}
	if err == nil && !has {
		return fault.New(fault.NotFound, "%s is not in its registry any more", img).Hint("does the registry delete images by a rule? Keep those of releases")
	}
	return err
}

func (r *Registry) managed(n repository.Name) bool {
	return n.Host != "" && r.c.Control != nil && r.c.Control.Manages(n.Host)
}

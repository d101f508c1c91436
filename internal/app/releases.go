package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ReleaseDetails is a release with its deployments, newest first, and with its
// quarantines, oldest first.
type ReleaseDetails struct {
	delivery.ReleaseRecord
	Deployments []delivery.Deployment `json:"deployments"`
	Quarantines []delivery.Quarantine `json:"quarantines,omitempty"`
}

// Releases lists the newest releases, 0 for all.
func (a *App) Releases(ctx context.Context, limit int) (out []delivery.ReleaseRecord, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = port.First(limit, port.AllReleases(ctx, s.deps.Releases, port.ReleaseFilter{}))
		return err
	})
	return out, err
}

// Release returns one release.
func (a *App) Release(ctx context.Context, id delivery.ReleaseID) (out ReleaseDetails, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if out.ReleaseRecord, err = s.release(ctx, id); err != nil {
			return err
		}
		deployments, err := port.Collect(port.AllDeployments(ctx, s.deps.Deployments, port.DeploymentFilter{Release: id}))
		if err != nil {
			return err
		}
		out.Deployments = append([]delivery.Deployment{}, deployments...)
		out.Quarantines, err = s.deps.Releases.Quarantines(ctx, id)
		return err
	})
	return out, err
}

func (s *session) release(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	if !id.Valid() {
		return delivery.ReleaseRecord{}, fault.New(fault.Invalid, "%q is not a valid release", id).
			Hint("a release is \"r-\" followed by 12 hexadecimal digits; `slipway releases` lists them")
	}
	return s.deps.Releases.Get(ctx, id)
}

// Unquarantine allows a release to be deployed again.
func (a *App) Unquarantine(ctx context.Context, id delivery.ReleaseID, why string) error {
	if why == "" {
		return fault.New(fault.Invalid, "unquarantine %s: a reason is required", id).Hint(`give one with --why "..."; it is kept in the history`)
	}
	return a.withSession(ctx, func(s *session) error {
		if _, err := s.release(ctx, id.Base()); err != nil {
			return err
		}
		return s.deps.Releases.Unquarantine(ctx, id, a.actor(), why)
	})
}

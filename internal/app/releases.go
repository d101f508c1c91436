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

// Release returns one release; "latest" is the newest.
func (a *App) Release(ctx context.Context, id delivery.ReleaseID) (out ReleaseDetails, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if out.ReleaseRecord, err = s.release(ctx, id); err != nil {
			return err
		}
		deployments, err := port.Collect(port.AllDeployments(ctx, s.deps.Deployments, port.DeploymentFilter{Release: out.ID}))
		if err != nil {
			return err
		}
		out.Deployments = append([]delivery.Deployment{}, deployments...)
		out.Quarantines, err = s.deps.Releases.Quarantines(ctx, out.ID)
		return err
	})
	return out, err
}

// latest stands for the newest run or release.
const latest = "latest"

func (s *session) release(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	if id == latest {
		newest, _, err := s.deps.Releases.List(ctx, port.ReleaseFilter{}, port.Page{Limit: 1})
		if err != nil {
			return delivery.ReleaseRecord{}, err
		}
		if len(newest) == 0 {
			return delivery.ReleaseRecord{}, fault.New(fault.NotFound, "no release has been made yet").Hint("make one with `slipway run`")
		}
		return newest[0], nil
	}
	if !id.Valid() {
		return delivery.ReleaseRecord{}, fault.New(fault.Invalid, "%q is not a valid release", id).
			Hint("a release is \"r-\" followed by 12 hexadecimal digits; `slipway releases` lists them, `latest` is the newest")
	}
	return s.deps.Releases.Get(ctx, id)
}

// Unquarantine allows a release to be deployed again.
func (a *App) Unquarantine(ctx context.Context, id delivery.ReleaseID, why string) error {
	if why == "" {
		return fault.New(fault.Invalid, "unquarantine %s: a reason is required", id).Hint(`give one with --why "..."; it is kept in the history`)
	}
	return a.withSession(ctx, func(s *session) error {
		saved, err := s.release(ctx, id.Base())
		if err != nil {
			return err
		}
		if id == latest {
			id = saved.ID
		}
		return s.deps.Releases.Unquarantine(ctx, id, a.actor(), why)
	})
}

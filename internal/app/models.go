package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Models lists the versions of a group, or of all with an empty name.
func (a *App) Models(ctx context.Context, group string) (out []delivery.ModelVersion, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.deps.Models.List(ctx, group)
		return err
	})
	return out, err
}

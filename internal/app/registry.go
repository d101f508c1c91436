package app

import (
	"context"
)

// ServeRegistry serves the embedded registry to other tools until ctx ends.
func (a *App) ServeRegistry(ctx context.Context, addr string, ready func(addr string)) error {
	return a.withSession(ctx, func(s *session) error { return s.deps.ServeRegistry(ctx, addr, ready) })
}

package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Anchor returns which log the environment's records are in.
func (t *Target) Anchor(ctx context.Context, service string, env delivery.Environment) (port.Anchor, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Anchor{}, err
	}
	return history.Anchor(ctx, c, service, env)
}

// SetAnchor replaces the anchor if its mark is before.
func (t *Target) SetAnchor(ctx context.Context, service string, env delivery.Environment, before port.LogMark, a port.Anchor) error {
	c, err := t.client(ctx)
	if err != nil {
		return err
	}
	return history.SetAnchor(ctx, c, service, env, before, a)
}

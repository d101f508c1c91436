package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// SaveHistory saves the history. It takes the environment's lease for the run of the newest
// deployment: what another run has written is not overwritten.
func (t *Target) SaveHistory(ctx context.Context, h port.History) error {
	if len(h.Deployments) == 0 {
		return nil
	}
	c, err := t.client(ctx)
	if err != nil {
		return err
	}
	o := port.DeployRequest{Service: h.Service, Environment: h.Environment, Run: h.Deployments[0].Run}
	if _, err = t.acquire(ctx, c, o, func(string) {}); err != nil {
		return err
	}
	return history.Save(ctx, c, t.keyring(h.Service, h.Environment), h)
}

// LoadHistory returns the history; it is empty if there is none. What no trusted key
// vouches for is marked.
func (t *Target) LoadHistory(ctx context.Context, service string, env delivery.Environment) (port.History, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.History{Service: service, Environment: env}, err
	}
	return t.loadHistory(ctx, c, service, env)
}

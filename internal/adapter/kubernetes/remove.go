package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// removalHolder is the holder of the lease during Remove, which belongs to no run.
const removalHolder = "down"

// Remove removes everything of the service, except for what holds data
// (PersistentVolumeClaims) or things of others (Namespaces, definitions of kinds), and
// waits until its pods have ended.
func (t *Target) Remove(ctx context.Context, service string, env delivery.Environment) error {
	op, err := t.begin(ctx, port.DeployRequest{Service: service, Environment: env, Run: removalHolder}, nil)
	if err != nil {
		return err
	}
	t.closeForward(port.DeployRequest{Service: service, Environment: env})
	if err := op.removeAll(ctx); err != nil {
		return err
	}
	if err := history.Delete(ctx, op.client, t.keyring(service, env)); err != nil {
		return err
	}
	if err := t.release(ctx, op.request); err != nil {
		return err
	}
	return op.client.Delete(ctx, client.Leases(), "", labels.ObjectName(service, env))
}

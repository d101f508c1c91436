package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// keyring returns the keys of an environment's history.
func (t *Target) keyring(service string, env delivery.Environment) *history.Keyring {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := labels.ObjectName(service, env)
	k, ok := t.keyrings[name]
	if !ok {
		k = &history.Keyring{Service: service, Environment: env, Signers: t.cfg.Signers, Signatures: t.cfg.Signatures}
		if t.cfg.HistoryKeys != nil {
			k.Keys = func() (port.HistoryKeys, error) { return t.cfg.HistoryKeys(env) }
		}
		t.keyrings[name] = k
	}
	return k
}

func (t *Target) loadHistory(ctx context.Context, c *client.Client, service string, env delivery.Environment) (port.History, error) {
	return history.Load(ctx, c, t.keyring(service, env))
}

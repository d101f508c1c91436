package app

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// historyKeys returns the project's keys for the history of an environment: it is signed
// with the key that signs releases, and where the environment trusts keys, only their
// signatures count. A pull request signs nothing.
func (s *session) historyKeys(env delivery.Environment) (port.HistoryKeys, error) {
	var keys port.HistoryKeys
	e := s.project.Environments[env]
	files, err := s.trustFiles(plan.TrustFiles(e))
	if err != nil {
		return keys, err
	}
	if p := plan.TrustPolicy(e, files); p != nil {
		keys.Trust.Keys = p.Keys
	}
	sign := s.project.Sign
	if sign == nil || !sign.Key.IsSet() || s.event() == string(plan.PullRequestEvent) {
		return keys, nil
	}
	value, err := sign.Key.Resolve(s.app.getenv)
	if err != nil || value == "" {
		return keys, nil //nolint:nilerr // this machine has no key: what it records is pending for others
	}
	req := port.SignRequest{}
	if req.Key, err = step.LoadSigningKey(value, s.workspace.Repository); err != nil {
		return keys, nil //nolint:nilerr // likewise; signing the release reports it
	}
	if sign.Passphrase.IsSet() {
		if text, err := sign.Passphrase.Resolve(s.app.getenv); err == nil {
			req.Passphrase = []byte(text)
		}
	}
	keys.Sign = &req
	return keys, nil
}

package app

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/policy"
)

// checkModelRegistry refuses a model registry of slipway.yaml that the policy does not
// list, or that would get a variable which the event may not use. It comes before the
// first request: plans read the registry, so a commit that names another server would have
// the token before the plan is judged.
func (s *session) checkModelRegistry() error {
	m := s.project.Model
	if m == nil || m.Registry.Section == nil {
		return nil
	}
	kind, err := s.app.Kinds.ModelRegistry(m.Registry.Kind)
	if err != nil || kind.Address == nil {
		return err
	}
	allowed := s.policy.Secrets(s.event())
	refs := extension.SecretsOf(m.Registry.Section)
	for _, ref := range refs {
		for _, name := range extension.Variables(string(ref)) {
			if !allowed.Allows(name) {
				return forbiddenVariable(allowed, "model.registry", s.event(), name)
			}
		}
	}
	address, err := kind.Address(m.Registry.Section).Resolve(s.app.getenv)
	if err != nil {
		return nil //nolint:nilerr // whoever needs the registry reports it
	}
	hasCredentials := len(refs) > 1 // one is the address
	return s.checkAddress(policy.ModelRegistries, "model.registry", address, hasCredentials)
}

package local

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// DryRun checks that every variable which the service's own refer to is set.
func (t *Target) DryRun(_ context.Context, o port.DeployRequest, _ func(string)) error {
	_, err := t.secrets(o.Release.Workload.Env)
	return err
}

// secrets returns the values of the variables that the service's refer to as
// ${NAME}. They go to the supervisor, which keeps them in memory.
func (t *Target) secrets(env map[string]string) (map[string]string, error) {
	found := map[string]string{}
	for _, text := range env {
		for _, name := range extension.References(text) {
			value, ok := t.cfg.LookupEnv(name)
			if !ok || value == "" {
				return nil, fault.New(fault.Invalid, "expand ${%s} in deploy.env: the environment variable %s is not set", name, name).
					Hint("set it where slipway runs: the service gets its value, which is not recorded")
			}
			found[name] = value
		}
	}
	return found, nil
}

// savedSecrets returns the values for all saved releases, as far as the variables
// are set: those of other releases do not need the others.
func (t *Target) savedSecrets() (map[string]string, error) {
	state, err := supervisor.ReadState(t.cfg.Dir)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range state.Environments {
		for _, p := range []*supervisor.ReleaseSpec{e.Promoted, e.Staged} {
			if p == nil {
				continue
			}
			for _, text := range p.Spec.Workload.Env {
				for _, name := range extension.References(text) {
					if value, ok := t.cfg.LookupEnv(name); ok && value != "" {
						found[name] = value
					}
				}
			}
		}
	}
	return found, nil
}

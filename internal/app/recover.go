package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// recoverTimeout limits the restart of services before a run, which continues without
// them: the run may be what repairs them.
const recoverTimeout = 30 * time.Second

// recoverTargets starts deployed services again that went down with the machine or the
// target, so that a run does not fail a new or restored release for the outage.
func (s *session) recoverTargets(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, recoverTimeout)
	defer cancel()
	restored := map[port.Restorer]bool{}
	for _, name := range s.project.EnvironmentNames() {
		env := delivery.Environment(name)
		target, err := s.target(env)
		r, ok := target.(port.Restorer)
		if err != nil || !ok || restored[r] || !s.isDown(ctx, env) {
			continue
		}
		restored[r] = true
		text := "the service in " + name + " was down, and was started again"
		if err := r.Restore(ctx); err != nil {
			text = "the service in " + name + " is down, and could not be started again: " + err.Error()
		}
		s.notice(env, text)
	}
}

// isDown reports whether a release is deployed according to the records, but receives
// no traffic according to the target.
func (s *session) isDown(ctx context.Context, env delivery.Environment) bool {
	_, deployed, err := s.deps.Deployments.Current(ctx, env)
	if err != nil || !deployed {
		return false // later uses of the records report what is wrong with them
	}
	target, err := s.target(env)
	if err != nil {
		return false
	}
	observed, err := target.Observe(ctx, s.project.Service, env)
	return err == nil && observed.Release == ""
}

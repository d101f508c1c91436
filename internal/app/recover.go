package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// recoverTimeout is how long what should serve may take to come back before a run goes
// on without it: the run may be what mends it.
const recoverTimeout = 30 * time.Second

// recoverTargets brings back what served before the machine or the target went down, so
// that a run does not blame the release it brings in, or goes back to, for it.
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
		text := "what served in " + name + " was down: it is started again"
		if err := r.Restore(ctx); err != nil {
			text = "what served in " + name + " is down, and does not come back: " + err.Error()
		}
		s.notice(env, text)
	}
}

// isDown reports whether the records show a deployed release, and the target that
// nothing has the traffic.
func (s *session) isDown(ctx context.Context, env delivery.Environment) bool {
	_, deployed, err := s.deps.Deployments.Current(ctx, env)
	if err != nil || !deployed {
		return false // whoever needs the records will say what is wrong with them
	}
	target, err := s.target(env)
	if err != nil {
		return false
	}
	observed, err := target.Observe(ctx, s.project.Service, env)
	return err == nil && observed.Release == ""
}

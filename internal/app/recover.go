package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// wakeTime is how long what should serve may take to come back before a run goes
// on without it: the run may be what mends it.
const wakeTime = 30 * time.Second

// wake brings back what served before the machine or the target went down, so
// that a run does not blame the release it brings in, or goes back to, for it.
func (s *session) wake(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wakeTime)
	defer cancel()
	woken := map[starter]bool{}
	for _, name := range s.project.EnvironmentNames() {
		env := delivery.Environment(name)
		target, err := s.target(env)
		up, ok := target.(starter)
		if err != nil || !ok || woken[up] || !s.asleep(ctx, env) {
			continue
		}
		woken[up] = true
		text := "what served in " + name + " was down: it is started again"
		if err := up.Up(ctx); err != nil {
			text = "what served in " + name + " is down, and does not come back: " + err.Error()
		}
		s.notice(env, text)
	}
}

// asleep tells that the records say that something serves, and the target that
// nothing has the traffic.
func (s *session) asleep(ctx context.Context, env delivery.Environment) bool {
	_, serves, err := s.parts.Deployments.Current(ctx, env)
	if err != nil || !serves {
		return false // whoever needs the records will say what is wrong with them
	}
	target, err := s.target(env)
	if err != nil {
		return false
	}
	seen, err := target.Observe(ctx, s.project.Service, env)
	return err == nil && seen.Release == ""
}

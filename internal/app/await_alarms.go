package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// raisedAlarm names an alarm that is raised while the run waits for an approval; empty:
// none is, or they can't be asked. The approve step, which asks them itself, says so, and
// the deployment does not begin without them.
func (s *session) raisedAlarm(ctx context.Context, run record.Run) string {
	for _, spec := range run.Plan.Steps {
		w, err := step.ParamsOf[step.ApproveParams](spec)
		if spec.Kind != step.Approve || err != nil || w.Alarms == nil || s.deps.Monitors == nil {
			continue
		}
		alarms, _, err := s.deps.Monitors(w.Alarms.At)
		if err != nil {
			continue
		}
		states, err := alarms.States(ctx, w.Alarms.Names())
		if err != nil {
			continue
		}
		for _, a := range states {
			if a.State == port.AlarmRaised {
				return a.Name
			}
		}
	}
	return ""
}

package render

import (
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/event"
)

// running are the steps that run now, in the order in which they started.
type running []*active

// active is a step that runs.
type active struct {
	step, text string // text: the last that it printed
	since      time.Time
	beat       time.Time     // of its last heartbeat, or its start
	pause      time.Duration // until the next one
}

// take keeps up with an event; now is when a step started.
func (r *running) take(e event.Event, now time.Time) {
	switch e.Kind {
	case event.StepStarted:
		*r = append(*r, &active{step: e.Step, since: now, beat: now, pause: firstHeartbeat})
	case event.StepProgress, event.StepLog:
		for _, a := range *r {
			if a.step == e.Step {
				a.text = e.Text
			}
		}
	case event.StepFinished:
		if i := slices.IndexFunc(*r, func(a *active) bool { return a.step == e.Step }); i >= 0 {
			*r = slices.Delete(*r, i, i+1)
		}
	case event.RunFinished:
		*r = nil
	}
}

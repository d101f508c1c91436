package render

import (
	"slices"
	"strings"
	"time"
	"unicode"

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
	progress   bool          // text is what it waits for, not what a program printed
	shown      string        // the reason in the last line about it
}

// reason is what the step waits for: its progress without the numbers, which change all
// the time. A program's output has none.
func (a *active) reason() string {
	if !a.progress {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, a.text)
}

// take keeps up with an event; now is when a step started.
func (r *running) take(e event.Event, now time.Time) {
	switch e.Kind {
	case event.StepStarted:
		*r = append(*r, &active{step: e.Step, since: now, beat: now, pause: firstHeartbeat})
	case event.StepProgress, event.StepLog:
		for _, a := range *r {
			if a.step == e.Step {
				a.text, a.progress = e.Text, e.Kind == event.StepProgress
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

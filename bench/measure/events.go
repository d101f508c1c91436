package measure

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// RunTimeline is when what happened in a run of `slipway run --json`.
type RunTimeline struct {
	Started       time.Time // the run, once it is planned
	DeployStarted time.Time // its deploy step began
	Finished      time.Time
	Outcome       string
	Events        []Event
}

// Event is one thing that a run said.
type Event struct {
	Time time.Time
	Text string
}

// ParseRun reads what `slipway run --json` printed.
func ParseRun(out string) (RunTimeline, error) {
	var r RunTimeline
	for line := range strings.Lines(out) {
		var e struct {
			Time                      time.Time
			Kind, Step, Text, Outcome string
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Time.IsZero() {
			continue
		}
		r.Events = append(r.Events, Event{e.Time, strings.Join(strings.Fields(e.Kind+" "+e.Step+" "+e.Text), " ")})
		switch {
		case e.Kind == "run.started":
			r.Started = e.Time
		case e.Kind == "step.started" && e.Step == "deploy":
			r.DeployStarted = e.Time
		case e.Kind == "run.finished":
			r.Finished, r.Outcome = e.Time, e.Outcome
		}
	}
	if r.DeployStarted.IsZero() || r.Finished.IsZero() {
		return r, fmt.Errorf("the run did not say when it deployed and ended:\n%s", out)
	}
	return r, nil
}

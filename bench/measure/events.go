package measure

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// RunTimeline is the timeline of a `slipway run --json`.
type RunTimeline struct {
	Started       time.Time // once the run is planned
	DeployStarted time.Time // start of the deploy step
	Finished      time.Time
	Outcome       string
	Events        []Event
}

// Event is one event of a run.
type Event struct {
	Time time.Time
	Text string
}

// ParseRun parses the output of `slipway run --json`.
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
		return r, fmt.Errorf("the run's events lack its deploy or its end:\n%s", out)
	}
	return r, nil
}

package measure

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Run is when what happened in a run of `slipway run --json`.
type Run struct {
	Begun    time.Time // the run, once it is planned
	Deploy   time.Time // its deploy step began
	Ended    time.Time
	Outcome  string
	Progress []Moment
}

// Moment is one thing that a run said.
type Moment struct {
	At   time.Time
	Text string
}

// ReadRun reads what `slipway run --json` printed.
func ReadRun(out string) (Run, error) {
	var r Run
	for line := range strings.Lines(out) {
		var e struct {
			Time                      time.Time
			Kind, Step, Text, Outcome string
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Time.IsZero() {
			continue
		}
		r.Progress = append(r.Progress, Moment{e.Time, strings.Join(strings.Fields(e.Kind+" "+e.Step+" "+e.Text), " ")})
		switch {
		case e.Kind == "run.started":
			r.Begun = e.Time
		case e.Kind == "step.started" && e.Step == "deploy":
			r.Deploy = e.Time
		case e.Kind == "run.finished":
			r.Ended, r.Outcome = e.Time, e.Outcome
		}
	}
	if r.Deploy.IsZero() || r.Ended.IsZero() {
		return r, fmt.Errorf("the run did not say when it deployed and ended:\n%s", out)
	}
	return r, nil
}

// Package event is the one stream of events of a run, read by the terminal, the
// JSON output, the log files, notifications and the server.
package event

import (
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Kind is what happened.
type Kind string

// The kinds. Scripts read them: add, never rename.
const (
	RunQueued         Kind = "run.queued"    // Text names the runs ahead of it
	RunStarted        Kind = "run.started"   // also after a resume; then Text is set
	RunFinished       Kind = "run.finished"  // Outcome, Text is the cause
	StepStarted       Kind = "step.started"  //
	StepProgress      Kind = "step.progress" // Text replaces the step's last progress
	StepLog           Kind = "step.log"      // Text is one line of output
	StepFinished      Kind = "step.finished" // Outcome, Cached, Seconds; Text is the cause or the summary
	GateEvaluated     Kind = "gate.answered" // GateResult
	DeploymentChanged Kind = "deployment"    // Text describes the change of state
	Notice            Kind = "notice"        // a warning for people
)

// Event is one thing that happened.
type Event struct {
	Time        time.Time            `json:"time"`
	Kind        Kind                 `json:"kind"`
	Run         delivery.RunID       `json:"run,omitempty"`
	Environment delivery.Environment `json:"environment,omitempty"`
	Step        string               `json:"step,omitempty"`
	Outcome     delivery.Outcome     `json:"outcome,omitempty"`
	Release     delivery.ReleaseID   `json:"release,omitempty"`
	Cached      bool                 `json:"cached,omitempty"`
	Seconds     float64              `json:"seconds,omitempty"`
	Text        string               `json:"text,omitempty"`
	Hint        string               `json:"hint,omitempty"`
	GateResult  *delivery.GateResult `json:"answer,omitempty"`
}

// Sink takes events. Emit never blocks for long and never fails a run; it is
// safe for concurrent use.
type Sink interface{ Emit(Event) }

// SinkFunc makes a Sink of a function.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Tee sends every event to all sinks, in order.
func Tee(sinks ...Sink) Sink {
	return SinkFunc(func(e Event) {
		for _, s := range sinks {
			s.Emit(e)
		}
	})
}

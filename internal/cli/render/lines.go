// Package render shows a run to people: plain lines where output is kept, a live
// list of what runs on a terminal, JSON lines for machines.
package render

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// Lines writes one plain line for everything that matters.
type Lines struct {
	W     io.Writer
	Color bool

	mu sync.Mutex
}

// Emit writes the event's line, if it has one.
func (l *Lines) Emit(e event.Event) {
	text := l.line(e)
	if text == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.W, text)
}

func (l *Lines) line(e event.Event) string {
	paint := painter{l.Color}
	switch e.Kind {
	case event.RunQueued, event.Notice:
		return paint.dim("  · ") + e.Text
	case event.RunStarted:
		return paint.bold(fmt.Sprintf("run %s -> %s", e.Run, e.Environment)) + suffix(e.Text)
	case event.StepFinished:
		return paint.mark(e.Outcome) + fmt.Sprintf(" %-14s %s%s", e.Step, paint.dim(took(e)), suffix(ending(e))) + hint(e.Hint)
	case event.GateEvaluated:
		if e.GateResult == nil {
			return ""
		}
		return paint.verdict(e.GateResult.Verdict) + " " + e.GateResult.Gate + paint.dim(suffix(e.GateResult.Evidence))
	case event.DeploymentChanged:
		return paint.dim("  ⚑ ") + e.Text
	case event.RunFinished:
		return paint.mark(e.Outcome) + " " + paint.bold(string(e.Outcome)) + suffix(e.Text) + hint(e.Hint)
	}
	return ""
}

// ending is why a step ended. One that was stopped did nothing wrong itself.
func ending(e event.Event) string {
	if e.Outcome == delivery.OutcomeCancelled && e.Text != "" {
		return string(e.Outcome) + ": " + e.Text
	}
	return e.Text
}

func suffix(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

func hint(s string) string {
	if s == "" {
		return ""
	}
	return "\n    -> " + s
}

func took(e event.Event) string {
	if e.Cached {
		return "cached"
	}
	return fmt.Sprintf("%5.1fs", e.Seconds)
}

// JSON writes every event as one line of JSON.
type JSON struct {
	W io.Writer

	mu sync.Mutex
}

// Emit writes the event.
func (j *JSON) Emit(e event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b, err := json.Marshal(e); err == nil {
		fmt.Fprintf(j.W, "%s\n", b)
	}
}

type painter struct{ color bool }

func (p painter) paint(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) dim(s string) string  { return p.paint("2", s) }
func (p painter) bold(s string) string { return p.paint("1", s) }

func (p painter) mark(o delivery.Outcome) string {
	switch o {
	case delivery.OutcomeSucceeded, delivery.OutcomeDeployed:
		return p.paint("32", "✔")
	case delivery.OutcomeSkipped:
		return p.dim("–")
	case delivery.OutcomeWaiting:
		return p.paint("33", "⏸")
	case delivery.OutcomeCancelled:
		return p.paint("33", "■")
	case delivery.OutcomeRolledBack:
		return p.paint("33", "↩")
	default:
		return p.paint("31", "✘")
	}
}

func (p painter) verdict(v delivery.Verdict) string {
	switch v {
	case delivery.Passed:
		return p.paint("32", "    ✔")
	case delivery.Unavailable:
		return p.paint("33", "    ?")
	default:
		return p.paint("31", "    ✘")
	}
}

// FormatAge is how long ago, for people: "12s", "3m", "5h", "2d".
func FormatAge(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Package render shows a run to people: plain lines where output is kept, a live
// list of what runs on a terminal, JSON lines for machines.
package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/termtext"
)

// Lines writes one plain line for everything that matters.
type Lines struct {
	W     io.Writer
	Color bool

	mu   sync.Mutex
	told told
}

// Emit writes the event's line, if it has one. Steps that were not run share a line,
// which is written before the run's last one: what runs beside them ends at any time.
func (l *Lines) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e = clean(e)
	if e.Kind == event.StepFinished && e.Outcome == delivery.OutcomeSkipped && strings.HasPrefix(e.Text, notRunPrefix) {
		l.told.notRun = append(l.told.notRun, e.Step)
		return
	}
	text := l.line(e)
	if text == "" {
		return
	}
	if e.Kind == event.RunFinished {
		l.flush()
	}
	fmt.Fprintln(l.W, text)
}

// Flush writes the line of the steps that were not run, if there are any.
func (l *Lines) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *Lines) flush() {
	if names := l.told.pending(); names != "" {
		paint := painter{l.Color}
		fmt.Fprintln(l.W, paint.mark(delivery.OutcomeSkipped)+fmt.Sprintf(" %-14s %s", "not run", paint.dim(names)))
	}
}

func (l *Lines) line(e event.Event) string {
	paint := painter{l.Color}
	switch e.Kind {
	case event.RunQueued, event.Notice:
		return paint.dim("  · ") + Indent(e.Text)
	case event.RunStarted:
		l.told = told{}
		return paint.bold(fmt.Sprintf("run %s -> %s", e.Run, e.Environment)) + suffix(Indent(e.Text))
	case event.StepFinished:
		if isUndo(e.Step) && e.Outcome == delivery.OutcomeSkipped {
			return "" // there was nothing to take back
		}
		return paint.mark(e.Outcome) + fmt.Sprintf(" %-14s %s%s", e.Step, paint.dim(took(e)), suffix(l.ending(e))) + l.told.hint(e.Hint)
	case event.GateEvaluated:
		if e.GateResult == nil || isIgnored(e) {
			return ""
		}
		l.told.gate(e)
		return paint.verdict(e.GateResult.Verdict) + " " + Indent(e.GateResult.Gate) + paint.dim(suffix(Indent(e.GateResult.Evidence)))
	case event.DeploymentChanged:
		return paint.dim("  ⚑ ") + Indent(e.Text)
	case event.RunFinished:
		return paint.mark(e.Outcome) + " " + paint.bold(string(e.Outcome)) + suffix(Indent(l.told.run(e))) + l.told.hint(e.Hint)
	}
	return ""
}

// clean returns the event with texts that a terminal only shows. They come from the
// project's commands, from servers and clusters.
func clean(e event.Event) event.Event {
	e.Text, e.Hint, e.Step = termtext.String(e.Text), termtext.String(e.Hint), printable(e.Step)
	if e.GateResult != nil {
		g := *e.GateResult
		g.Gate, g.Evidence = termtext.String(g.Gate), termtext.String(g.Evidence)
		e.GateResult = &g
	}
	return e
}

// isIgnored reports whether a gate's result decides nothing: smoke checks that do not
// fit the release that is restored. They were written for the one that failed.
func isIgnored(e event.Event) bool {
	return isUndo(e.Step) && e.GateResult.Verdict != delivery.Passed && strings.HasPrefix(e.GateResult.Gate, "smoke: ")
}

// isUndo reports whether a step takes back another one.
func isUndo(step string) bool { return strings.HasPrefix(step, "rollback.") }

// ending is why a step ended. One that was stopped did nothing wrong itself.
func (l *Lines) ending(e event.Event) string {
	text := Indent(l.told.step(e))
	if e.Outcome == delivery.OutcomeCancelled && text != "" {
		return string(e.Outcome) + ": " + text
	}
	return text
}

// Indent sets off the lines of a log that follow the first line of a text: none of them
// looks like a line of the command itself.
func Indent(text string) string {
	text = termtext.String(text)
	first, rest, more := strings.Cut(text, "\n")
	if !more {
		return text
	}
	var out strings.Builder
	out.WriteString(first)
	for _, line := range strings.Split(rest, "\n") {
		if line = strings.TrimRight(strings.TrimPrefix(line, "  "), " "); line != "" {
			out.WriteString("\n    | " + line)
		}
	}
	return out.String()
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
	return "\n    -> " + Indent(s)
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
		fmt.Fprintf(j.W, "%s\n", termtext.JSON(b))
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

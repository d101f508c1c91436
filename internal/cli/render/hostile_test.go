package render_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// hostile sets a window title, goes up to the line of a failed step and draws another
// over it, writes to the clipboard, turns a line around and begins a new one.
const hostile = "\x1b]0;owned\x07\x1b[1A\x1b[2K\x1b[32m✔ unit all passed\x1b[0m\r\u009b1A\x1b]52;c;ZQ==\x1b\\\u202ekcab\n✔ forged"

// TestEvents_Hostile: nothing that an event carries moves the cursor, colors a line or
// begins one that looks like one of a run.
func TestEvents_Hostile(t *testing.T) {
	gate := &delivery.GateResult{Gate: hostile, Verdict: delivery.Failed, Evidence: hostile}
	for name, e := range map[string]event.Event{
		"queued":     {Kind: event.RunQueued, Text: hostile},
		"notice":     {Kind: event.Notice, Text: hostile},
		"started":    {Kind: event.RunStarted, Text: hostile},
		"step":       {Kind: event.StepFinished, Step: hostile, Outcome: delivery.OutcomeFailed, Text: hostile, Hint: hostile},
		"gate":       {Kind: event.GateEvaluated, GateResult: gate},
		"deployment": {Kind: event.DeploymentChanged, Text: hostile},
		"finished":   {Kind: event.RunFinished, Outcome: delivery.OutcomeFailed, Text: hostile, Hint: hostile},
	} {
		t.Run(name, func(t *testing.T) {
			var lines, piped, live bytes.Buffer
			(&render.Lines{W: &lines}).Emit(e)
			p := render.NewPiped(&piped, time.Now)
			p.Emit(event.Event{Kind: event.StepStarted, Step: "unit"})
			p.Emit(event.Event{Kind: event.StepLog, Step: "unit", Text: hostile})
			p.Emit(e)
			p.Close()
			l := render.NewLive(&live, func() int { return 200 }, time.Now, false)
			l.Emit(event.Event{Kind: event.StepStarted, Step: "unit"})
			l.Emit(event.Event{Kind: event.StepLog, Step: "unit", Text: hostile})
			l.Emit(e)
			l.Close()
			for how, out := range map[string]string{
				"lines": lines.String(), "piped": piped.String(),
				"live": strings.NewReplacer("\x1b[1A\x1b[J", "").Replace(live.String()), // its own redrawing
			} {
				if strings.ContainsAny(out, "\x1b\r\u009b\u202e\a") {
					t.Errorf("%s: control characters in %q", how, out)
				}
				if strings.Contains(out, "\n✔ forged") {
					t.Errorf("%s: a forged line in %q", how, out)
				}
			}
		})
	}
	if gate.Gate != hostile {
		t.Error("the sender's event was changed")
	}
}

package render_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{event.Event{Kind: event.RunStarted, Run: "20261124-120000-abcd", Environment: "prod"}, "run 20261124-120000-abcd -> prod"},
		{event.Event{Kind: event.StepFinished, Step: "build", Outcome: delivery.OutcomeSucceeded, Seconds: 1.24, Text: "41 MB"}, "✔ build            1.2s  41 MB"},
		{event.Event{Kind: event.StepFinished, Step: "train", Outcome: delivery.OutcomeSucceeded, Cached: true}, "✔ train          cached"},
		{event.Event{Kind: event.StepFinished, Step: "scan", Outcome: delivery.OutcomeFailed, Text: "2 findings", Hint: "wait"}, "✘ scan             0.0s  2 findings\n    -> wait"},
		{event.Event{Kind: event.StepFinished, Step: "unit", Outcome: delivery.OutcomeCancelled, Text: "scan failed"}, "■ unit             0.0s  cancelled: scan failed"},
		{event.Event{Kind: event.StepFinished, Step: "unit", Outcome: delivery.OutcomeCancelled, Text: "stopped by ann"}, "■ unit             0.0s  cancelled: stopped by ann"},
		{event.Event{Kind: event.StepFinished, Step: "push", Outcome: delivery.OutcomeSkipped, Text: "not run: scan failed"}, ""}, // with the others, before the next line
		{event.Event{Kind: event.GateEvaluated, GateResult: &delivery.GateResult{Gate: "scan", Verdict: delivery.Unavailable, Evidence: "no database"}}, "    ? scan  no database"},
		{event.Event{Kind: event.RunFinished, Outcome: delivery.OutcomeRolledBack, Text: "500"}, "↩ rolled_back  500"},
		{event.Event{Kind: event.GateEvaluated}, ""},
	} {
		var out bytes.Buffer
		(&render.Lines{W: &out}).Emit(c.event)
		if got := strings.TrimSuffix(out.String(), "\n"); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

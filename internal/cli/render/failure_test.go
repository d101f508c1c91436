package render_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// TestLines_TellsOnce: what a gate or a step has shown, the lines after it do not repeat.
func TestLines_TellsOnce(t *testing.T) {
	gate := func(step, name, evidence string) event.Event {
		return event.Event{Kind: event.GateEvaluated, Step: step, GateResult: &delivery.GateResult{Gate: name, Verdict: delivery.Failed, Evidence: evidence}}
	}
	ended := func(step string, o delivery.Outcome, text, hint string) event.Event {
		return event.Event{Kind: event.StepFinished, Step: step, Outcome: o, Seconds: 1, Text: text, Hint: hint}
	}
	run := func(o delivery.Outcome, text, hint string) event.Event {
		return event.Event{Kind: event.RunFinished, Outcome: o, Text: text, Hint: hint}
	}
	const failed, skipped, waiting = delivery.OutcomeFailed, delivery.OutcomeSkipped, delivery.OutcomeWaiting
	for _, c := range []struct {
		name   string
		events []event.Event
		want   string
	}{
		{"gate", []event.Event{
			gate("deploy", "health", "/health returned 500"),
			ended("deploy", failed, "health failed before r-1 received any traffic: /health returned 500; its last lines:\n  loading\n  no database", "look"),
			ended("verify", skipped, "not run: deploy failed", ""), ended("watch", skipped, "not run: deploy failed", ""),
			ended("rollback.deploy", delivery.OutcomeSucceeded, "r-0 is deployed in prod again", ""),
			run(delivery.OutcomeRolledBack, "deploy: health failed before r-1 received any traffic: /health returned 500; its last lines:\n  loading\n  no database", "look"),
		}, `    ✘ health  /health returned 500
✘ deploy           1.0s  health failed before r-1 received any traffic; its last lines:
    | loading
    | no database
    -> look
✔ rollback.deploy   1.0s  r-0 is deployed in prod again
– not run        verify, watch
↩ rolled_back  deploy failed
`},
		{"step that names itself", []event.Event{
			ended("scan", failed, "scan: 1 finding", ""), run(failed, "scan: 1 finding", ""),
		}, "✘ scan             1.0s  1 finding\n✘ failed  scan failed\n"},
		{"a word and the evidence", []event.Event{
			gate("evaluate", "evaluate: f1 >= 0.8", `"f1" not found`),
			ended("evaluate", failed, `investigate: f1 >= 0.8 ("f1" not found)`, ""),
			run(failed, `evaluate: investigate: f1 >= 0.8 ("f1" not found)`, ""),
		}, "    ✘ evaluate: f1 >= 0.8  \"f1\" not found\n✘ evaluate         1.0s  investigate: see above\n✘ failed  evaluate failed\n"},
		{"the rollback fails, too", []event.Event{
			ended("deploy", failed, "start r-1: exit code 1", "fix it"),
			ended("rollback.deploy", failed, "rollback of r-1 to r-0 in prod failed: disk full", "free some space"),
			run(delivery.OutcomeRollbackFailed, "deploy: start r-1: exit code 1; the rollback failed: rollback of r-1 to r-0 in prod failed: disk full", "free some space"),
		}, `✘ deploy           1.0s  start r-1: exit code 1
    -> fix it
✘ rollback.deploy   1.0s  rollback of r-1 to r-0 in prod failed: disk full
    -> free some space
✘ rollback_failed  deploy failed, and so did the rollback
`},
		{"nothing to take back", []event.Event{
			ended("deploy", failed, "API_KEY is not set", ""), ended("rollback.deploy", skipped, "nothing was deployed to prod", ""),
			run(failed, "deploy: API_KEY is not set", ""),
		}, "✘ deploy           1.0s  API_KEY is not set\n✘ failed  deploy failed\n"},
		{"a check that was written for another release", []event.Event{
			gate("rollback.deploy", "smoke: v2", "/v2 returned 404"), gate("rollback.deploy", "health", "silent"),
		}, "    ✘ health  silent\n"},
		{"waiting", []event.Event{
			ended("approve", waiting, "model m:1 waits for approval", "slipway approve m:1"), run(waiting, "model m:1 waits for approval", "slipway approve m:1"),
		}, "⏸ approve          1.0s  model m:1 waits for approval\n    -> slipway approve m:1\n⏸ waiting\n"},
		{"a cause that no step has shown", []event.Event{run(failed, "the journal is damaged", "look")}, "✘ failed  the journal is damaged\n    -> look\n"},
		{"the next run begins anew", []event.Event{
			ended("scan", failed, "1 finding", "wait"), {Kind: event.RunStarted, Run: "r", Environment: "e"}, run(failed, "scan: 1 finding", "wait"),
		}, "✘ scan             1.0s  1 finding\n    -> wait\nrun r -> e\n✘ failed  scan: 1 finding\n    -> wait\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			lines := &render.Lines{W: &out}
			for _, e := range c.events {
				lines.Emit(e)
			}
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

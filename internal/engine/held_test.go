package engine

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestAfterUndo_Skipped: an undo that leaves things as they are says why, if that was a
// decision.
func TestAfterUndo_Skipped(t *testing.T) {
	failed := workflowResult{Outcome: delivery.OutcomeFailed, Cause: "watch: it restarted", Hint: "see its log"}
	skipped := func(cause, hint string) stepState {
		return stepState{Result: step.Result{Outcome: delivery.OutcomeSkipped, Cause: cause, Hint: hint}}
	}
	if got := failed.afterUndo([]stepState{skipped("", "")}); got != failed {
		t.Errorf("nothing to undo: %+v, want %+v", got, failed)
	}
	got := failed.afterUndo([]stepState{skipped("held: r-2 keeps the traffic", "slipway rollback")})
	want := workflowResult{Outcome: delivery.OutcomeFailed, Cause: "watch: it restarted; held: r-2 keeps the traffic", Hint: "slipway rollback"}
	if got != want {
		t.Errorf("held: %+v, want %+v", got, want)
	}
}

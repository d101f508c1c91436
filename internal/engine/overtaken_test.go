package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// Steps learn that a later run was deployed while theirs waited; one that never waited
// keeps its place in the queue.
func TestRequest_Overtaken(t *testing.T) {
	l := newLab(t, t.TempDir())
	var heard []string
	look := func(ctx context.Context, r step.Request) (step.Result, error) {
		by, err := r.Overtaken(ctx, delivery.Deployment{Run: runID(2), Release: "r-2", ServingAt: time.Now()})
		heard = append(heard, by)
		if err != nil {
			return step.Result{}, err
		}
		if r.Run == runID(1) && len(heard) == 1 {
			return step.Result{Outcome: delivery.OutcomeWaiting, Cause: "0 of 1 approvals"}, nil
		}
		return step.Succeed("", nil)
	}
	l.does["approve"] = look
	wantRun(t, l.run(newPlan(1, step.Spec{Name: "approve", Kind: step.Approve})), record.Waiting, delivery.OutcomeWaiting, "0 of 1 approvals")
	wantRun(t, l.run(newPlan(2, step.Spec{Name: "approve", Kind: step.Approve})), record.Ended, delivery.OutcomeSucceeded, "")
	ended, err := l.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, ended, record.Ended, delivery.OutcomeSucceeded, "")
	if len(heard) != 3 || heard[0] != "" || heard[1] != "" || !strings.HasPrefix(heard[2], "run "+string(runID(2))+" (commit aaaaaaa, by ana), deployed since ") {
		t.Errorf("overtaken by %q, want nothing, nothing, and run %s", heard, runID(2))
	}
}

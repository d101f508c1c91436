package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// A step with a budget is in the records before it runs: what it may cost is reserved
// before it looks at what others cost.
func TestRun_BudgetIsReserved(t *testing.T) {
	l := newLab(t, t.TempDir())
	seen := false
	l.does["train"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		entries, err := record.Costs{Runs: l.Runs}.Costs(ctx, time.Time{})
		seen = len(entries) == 1 && entries[0].Run == r.Run && entries[0].Cost.Estimated
		if err != nil {
			return step.Result{}, err
		}
		return step.Succeed("", nil)
	}
	amount := delivery.Money{Amount: 2, Currency: "USD"}
	run := l.run(newPlan(1, step.Spec{Name: "train", Kind: step.Train, Estimate: &delivery.CostEstimate{Amount: amount}, Budget: &step.Budget{Budget: delivery.Budget{PerMonth: amount}}}))
	wantRun(t, run, record.Ended, delivery.OutcomeSucceeded, "")
	if !seen {
		t.Error("the step did not find itself among what jobs cost")
	}
}

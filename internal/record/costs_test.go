package record_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// found are records with one plan.
type found struct {
	record.Runs
	steps []record.StepRecord
}

func (f found) FindSteps(context.Context, []step.Kind, time.Time) ([]record.StepRecord, error) {
	return f.steps, nil
}

func (f found) Get(_ context.Context, id delivery.RunID) (record.Run, error) {
	estimate := &delivery.CostEstimate{Amount: delivery.Money{Amount: 2, Currency: "USD"}}
	return record.Run{Plan: plan.Plan{Run: id, Steps: []step.Spec{{Name: "build"}, {Name: "train", Estimate: estimate}, {Name: "evaluate"}}}}, nil
}

func TestCosts(t *testing.T) {
	begun := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	amount := delivery.Money{Amount: 0.5, Currency: "USD"}
	cost := &delivery.JobCost{Job: "j", Amount: &amount}
	result := func(o delivery.Outcome, cached bool, c *delivery.JobCost) *step.Result {
		return &step.Result{Outcome: o, Cached: cached, Cost: c}
	}
	got, err := record.Costs{Runs: found{steps: []record.StepRecord{
		{Run: "succeeded", Name: "train", Begun: begun, Result: result(delivery.OutcomeSucceeded, false, cost)},
		{Run: "failed", Name: "train", Begun: begun, Result: result(delivery.OutcomeFailed, false, cost)},
		{Run: "cached", Name: "train", Begun: begun, Result: result(delivery.OutcomeSucceeded, true, cost)},
		{Run: "not begun", Name: "train", Begun: begun, Result: result(delivery.OutcomeWaiting, false, nil)},
		{Run: "killed", Name: "train", Begun: begun},
		{Run: "killed, costs nothing", Name: "evaluate", Begun: begun},
	}}}.Costs(t.Context(), begun)
	if err != nil {
		t.Fatal(err)
	}
	want := []port.JobEntry{
		{Run: "succeeded", Step: "train", Begun: begun, Outcome: delivery.OutcomeSucceeded, Cost: *cost},
		{Run: "failed", Step: "train", Begun: begun, Outcome: delivery.OutcomeFailed, Cost: *cost},
		{Run: "killed", Step: "train", Begun: begun, Cost: delivery.JobCost{Amount: &delivery.Money{Amount: 2, Currency: "USD"}, Estimated: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

package storetest

import (
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestCosts holds record.Costs of a store to port.CostLedger; open is that of TestStore.
func TestCosts(t *testing.T, open func(*testing.T) record.Store) {
	porttest.TestCostLedger(t, func(t *testing.T) func() porttest.CostMachine {
		return func() porttest.CostMachine { return costMachine(t, closing(t, open(t))) }
	})
}

func costMachine(t *testing.T, s record.Store) porttest.CostMachine {
	kinds := []step.Kind{step.Train, step.Evaluate}
	recordOf := func(j porttest.CostJob) record.StepRecord {
		i := slices.Index(kinds, step.Kind(j.Step))
		return record.StepRecord{Run: j.Run, Name: j.Step, Index: i, Kind: kinds[i], Attempt: 1, Begun: j.Begun}
	}
	return porttest.CostMachine{
		Ledger: record.Costs{Runs: s.Runs()},
		Begin: func(j porttest.CostJob) {
			r := newRun(0, j.Environment)
			r.ID, r.Plan.Run = j.Run, j.Run
			spec := step.Spec{Name: j.Step, Kind: step.Kind(j.Step)}
			if j.Estimate != nil {
				spec.Estimate = &delivery.CostEstimate{Amount: *j.Estimate}
			}
			r.Plan.Steps = []step.Spec{spec}
			if _, err := s.Runs().Enqueue(t.Context(), r); err != nil {
				t.Error(err)
			}
			if err := s.Runs().SaveStep(t.Context(), recordOf(j)); err != nil {
				t.Error(err)
			}
		},
		End: func(j porttest.CostJob, o delivery.Outcome, cached bool, cost *delivery.JobCost) {
			r := recordOf(j)
			r.Result = &step.Result{Outcome: o, Cached: cached, Cost: cost}
			if err := s.Runs().SaveStep(t.Context(), r); err != nil {
				t.Error(err)
			}
		},
	}
}

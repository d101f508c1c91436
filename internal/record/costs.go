package record

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Costs is the port.CostLedger of the records.
type Costs struct{ Runs Runs }

var _ port.CostLedger = Costs{}

// Costs implements port.CostLedger.
func (c Costs) Costs(ctx context.Context, since time.Time) ([]port.JobEntry, error) {
	steps, err := c.Runs.FindSteps(ctx, []step.Kind{step.Train, step.Evaluate}, since)
	if err != nil {
		return nil, err
	}
	var all []port.JobEntry
	for _, s := range steps {
		e := port.JobEntry{Run: s.Run, Step: s.Name, Begun: s.Begun}
		switch {
		case s.Result == nil:
			cost, err := c.estimate(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("look up what run %s costs: %w", s.Run, err)
			}
			if cost == nil {
				continue
			}
			e.Cost = *cost
		case s.Result.Cost == nil || s.Result.Cached:
			continue
		default:
			e.Outcome, e.Cost = s.Result.Outcome, *s.Result.Cost
		}
		all = append(all, e)
	}
	return all, nil
}

// estimate returns what a step costs that has not ended; nil: nothing that is known.
func (c Costs) estimate(ctx context.Context, s StepRecord) (*delivery.JobCost, error) {
	run, err := c.Runs.Get(ctx, s.Run)
	if err != nil {
		return nil, err
	}
	spec, ok := specOf(run.Plan, s.Name)
	if !ok || spec.Estimate == nil {
		return nil, nil //nolint:nilnil // it costs nothing
	}
	return &delivery.JobCost{Amount: &spec.Estimate.Amount, Estimated: true}, nil
}

func specOf(p plan.Plan, name string) (step.Spec, bool) {
	for _, s := range p.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return step.Spec{}, false
}

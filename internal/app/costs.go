package app

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
)

// findJobs looks up what earlier jobs cost, where those of this project may cost anything.
func (s *session) findJobs(ctx context.Context, f *plan.Facts, _ delivery.Environment) (err error) {
	if m := s.project.Model; s.deps.Costs == nil || m == nil || !m.IsRemote() {
		return nil
	}
	f.Now = s.app.Clock().UTC()
	f.Jobs, err = s.deps.Costs.Costs(ctx, f.Now.AddDate(0, 0, -plan.EarlierJobs))
	if err != nil {
		return fmt.Errorf("look up what earlier jobs cost: %w", err)
	}
	return nil
}

// waitsForBudget reports whether the run waits because a job is above its budget.
func (s *session) waitsForBudget(ctx context.Context, run record.Run) (bool, error) {
	steps, err := s.deps.Runs.ListSteps(ctx, run.ID)
	if err != nil {
		return false, err
	}
	held := map[string]bool{}
	for _, st := range steps {
		held[st.Name] = st.Result != nil && st.Result.Outcome == delivery.OutcomeWaiting
	}
	for _, spec := range run.Plan.Steps {
		if spec.Budget != nil && held[spec.Name] {
			return true, nil
		}
	}
	return false, nil
}

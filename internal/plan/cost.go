package plan

import (
	"cmp"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// EarlierJobs is for how many days the jobs of earlier runs count for an estimate.
const EarlierJobs = 90

// Cost is what the jobs of a run are estimated to cost, and what they may.
type Cost struct {
	Estimate delivery.Money   `json:"estimate"`
	Budget   *delivery.Budget `json:"budget,omitempty"`
	Month    delivery.Money   `json:"month,omitzero"`    // what other jobs of this calendar month (UTC) cost, those that go on by their estimates
	Exceeds  string           `json:"exceeds,omitempty"` // by what the estimate is above the budget; empty: it is not
}

// priced adds to a step what its job costs, and its budget. Neither is among what its
// result depends on.
func (pl *planner) priced(on *config.Runner, s step.Spec) step.Spec {
	if on == nil || !on.Remote {
		return s
	}
	rates := slices.Clone(on.Rates)
	for i := range rates {
		rates[i].Limit = cmp.Or(rates[i].Limit, s.Timeout)
	}
	if e, ok := step.EstimateCost(rates, port.UsageOf(pl.facts.Jobs, s.Name)); ok {
		s.Estimate = &e
	}
	if b := pl.project.Model.Budget; b != nil {
		s.Budget = &step.Budget{Budget: b.Amounts(), Approvers: pl.env.Approvers}
	}
	return s
}

// describeCost sums up what the steps that are left in the plan cost.
func (pl *planner) describeCost() {
	var all delivery.Money
	var budget *step.Budget
	for i := len(pl.plan.Steps) - 1; i >= 0; i-- { // each has to know what comes after it
		s := &pl.plan.Steps[i]
		if s.Estimate == nil {
			continue
		}
		s.Estimate.Ahead = all
		if s.Action == step.ActionRun {
			all, budget = all.Plus(s.Estimate.Amount), s.Budget
		}
	}
	if all.Amount == 0 {
		return
	}
	c := Cost{Estimate: all}
	if budget != nil {
		c.Budget = &budget.Budget
		c.Month, _ = port.Spent(pl.facts.Jobs, step.MonthOf(pl.facts.Now), all.Currency, func(port.JobEntry) bool { return false })
		if c.Exceeds = budget.Exceeded(all, c.Month); c.Exceeds != "" {
			pl.plan.Warnings = append(pl.plan.Warnings, c.Exceeds+": the run will wait for an approval, with exit code 4")
		}
	}
	pl.plan.Cost = &c
}

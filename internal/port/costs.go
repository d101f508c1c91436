package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ApproveBudget is that a run may cost more than its budget.
const ApproveBudget ApprovalSubject = "budget"

// JobEntry is a job that a run began where it costs money, as the records have it.
type JobEntry struct {
	Run     delivery.RunID
	Step    string
	Begun   time.Time
	Outcome delivery.Outcome // of the step; empty: it has not ended, or its process was killed
	Cost    delivery.JobCost
}

// CostLedger finds what jobs cost. Safe for concurrent use.
type CostLedger interface {
	// Costs returns the jobs that were begun since then in any environment, in no
	// order: those of runs that go on or were killed with what the plan estimated, marked
	// as that. What was taken from the cache cost nothing, and is none. A caller whose own
	// job is recorded as begun gets at least the jobs that were recorded before it: of two
	// that begin in the same instant, one at least sees the other.
	Costs(ctx context.Context, since time.Time) ([]JobEntry, error)
}

// Spent adds up what jobs cost since a time, but for those that except selects. Amounts
// in another currency than the given one are not added: others names their currencies.
func Spent(entries []JobEntry, since time.Time, currency string, except func(JobEntry) bool) (sum delivery.Money, others []string) {
	sum.Currency = currency
	for _, e := range entries {
		switch {
		case e.Begun.Before(since) || e.Cost.Amount == nil || except(e):
		case e.Cost.Amount.Currency != currency:
			others = append(others, e.Cost.Amount.Currency)
		default:
			sum = sum.Plus(*e.Cost.Amount)
		}
	}
	return sum, others
}

// UsageOf returns what the jobs of a step used that succeeded.
func UsageOf(entries []JobEntry, step string) (all []delivery.JobUsage) {
	for _, e := range entries {
		if e.Step == step && e.Outcome == delivery.OutcomeSucceeded && e.Cost.Usage != nil {
			all = append(all, *e.Cost.Usage)
		}
	}
	return all
}

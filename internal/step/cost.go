package step

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Budget is what the jobs of a run may cost, and who may allow more.
type Budget struct {
	delivery.Budget
	Approvers [][]string `json:"approvers,omitempty"` // lists that whoever allows it has to be in, each
}

// minEarlierJobs is how many jobs have to have ended for their median to count.
const minEarlierJobs = 3

// EstimateCost estimates what a job costs: the most expensive of what it may get, for as
// long as it may run, or for as long as the median of the earlier jobs on the same
// instances. ok is false if a price is not known, or they have several currencies.
func EstimateCost(rates []delivery.Rate, earlier []delivery.JobUsage) (e delivery.CostEstimate, ok bool) {
	for _, r := range rates {
		if r.Price.Currency == "" || r.Price.Currency != rates[0].Price.Currency {
			return delivery.CostEstimate{}, false
		}
		if amount, text := estimateOf(r, earlier); e.Text == "" || amount.IsAbove(e.Amount) {
			e.Amount, e.Text = amount, text
		}
	}
	e.Rates = rates
	return e, len(rates) > 0
}

func estimateOf(r delivery.Rate, earlier []delivery.JobUsage) (delivery.Money, string) {
	d, how, basis := r.Limit.D(), "at most", r.Limit.Short()+" limit"
	if median, n := medianOf(r, earlier); n >= minEarlierJobs {
		d, how, basis = median, "about", fmt.Sprintf("the median of %d earlier jobs is %s", n, delivery.Duration(median).Short())
	}
	amount, what := inCents(r.Cost(d), func(x float64) float64 { return math.Ceil(x - 1e-6) }), r.Instance
	if r.Count > 1 {
		what = fmt.Sprintf("%d x %s", r.Count, r.Instance)
	}
	if r.Kept > 0 {
		basis += ", kept for " + r.Kept.Short()
	}
	return amount, fmt.Sprintf("%s %s: %s, %s/h, %s", how, amount, what, r.Price, basis)
}

// medianOf returns the median of the time for which earlier jobs on the same instances
// were billed, and how many there were.
func medianOf(r delivery.Rate, earlier []delivery.JobUsage) (time.Duration, int) {
	var all []time.Duration
	for _, u := range earlier {
		if u.Instance == r.Instance && max(u.Count, 1) == max(r.Count, 1) {
			all = append(all, u.Billed.D())
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], len(all)
}

// CostOf is what a job cost that has ended: nil without a price for what it got.
func CostOf(e *delivery.CostEstimate, u delivery.JobUsage) *delivery.Money {
	if e == nil {
		return nil
	}
	for _, r := range e.Rates {
		if r.Instance == u.Instance && r.Price.Currency != "" {
			if r.Count = u.Count; u.Billed == 0 { // it got none
				r.Count, r.Kept = 0, 0
			}
			m := r.Cost(u.Billed.D())
			m.Amount = math.Round(m.Amount*1e4) / 1e4
			return &m
		}
	}
	return nil
}

// inCents rounds to hundredths of the currency.
func inCents(m delivery.Money, round func(float64) float64) delivery.Money {
	m.Amount = round(m.Amount*100) / 100
	return m
}

// Exceeded returns by what a run is above the budget: run is what its jobs cost and will
// cost, month what the other jobs of the calendar month did. Empty: it is not.
func (b Budget) Exceeded(run, month delivery.Money) string {
	run, month = inCents(run, math.Round), inCents(month, math.Round)
	switch all := run.Plus(month); {
	case b.PerRun.Amount > 0 && run.IsAbove(b.PerRun):
		return fmt.Sprintf("the estimate of %s is above the budget of %s for a run", run, b.PerRun)
	case b.PerMonth.Amount > 0 && all.IsAbove(b.PerMonth):
		return fmt.Sprintf("the estimate of %s is above the budget of %s for a month, of which %s are spent", run, b.PerMonth, delivery.Money{Amount: month.Amount, Currency: b.PerMonth.Currency})
	}
	return ""
}

// MonthOf returns the beginning of the calendar month in UTC.
func MonthOf(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

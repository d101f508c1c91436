package step_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

func usd(amount float64) delivery.Money { return delivery.Money{Amount: amount, Currency: "USD"} }

func TestEstimateCost(t *testing.T) {
	large := delivery.Rate{Instance: "ml.m5.large", Price: usd(0.115), Limit: delivery.Duration(10 * time.Hour)}
	several := large
	several.Count = 3
	kept := large
	kept.Kept = delivery.Duration(time.Hour)
	dear := delivery.Rate{Instance: "ml.m5.24xlarge", Price: usd(5.53), Limit: delivery.Duration(90 * time.Minute)}
	unpriced := delivery.Rate{Instance: "ml.p3.2xlarge", Limit: delivery.Duration(time.Hour)}
	euro := delivery.Rate{Instance: "ml.m5.large", Price: delivery.Money{Amount: 1, Currency: "EUR"}}
	job := func(instance string, count int, minutes ...int) (all []delivery.JobUsage) {
		for _, m := range minutes {
			all = append(all, delivery.JobUsage{Instance: instance, Count: count, Billed: delivery.Duration(time.Duration(m) * time.Minute)})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		rates   []delivery.Rate
		earlier []delivery.JobUsage
		want    string // empty: none
		amount  float64
	}{
		{"limit", []delivery.Rate{large}, nil, "at most 1.15 USD: ml.m5.large, 0.115 USD/h, 10h limit", 1.15},
		{"several instances", []delivery.Rate{several}, nil, "at most 3.45 USD: 3 x ml.m5.large, 0.115 USD/h, 10h limit", 3.45},
		{"kept", []delivery.Rate{kept}, nil, "at most 1.27 USD: ml.m5.large, 0.115 USD/h, 10h limit, kept for 1h", 1.27},
		{"the most expensive that it may get", []delivery.Rate{large, dear}, nil, "at most 8.30 USD: ml.m5.24xlarge, 5.53 USD/h, 1h30m limit", 8.30},
		{"median", []delivery.Rate{large}, job("ml.m5.large", 1, 600, 61, 3), "about 0.12 USD: ml.m5.large, 0.115 USD/h, the median of 3 earlier jobs is 1h1m", 0.12},
		{"too few earlier jobs", []delivery.Rate{large}, job("ml.m5.large", 1, 60, 60), "at most 1.15 USD: ml.m5.large, 0.115 USD/h, 10h limit", 1.15},
		{"earlier jobs of others", []delivery.Rate{large}, append(job("ml.m5.xlarge", 1, 1, 2, 3), job("ml.m5.large", 2, 1, 2, 3)...), "at most 1.15 USD: ml.m5.large, 0.115 USD/h, 10h limit", 1.15},
		{"no price", []delivery.Rate{large, unpriced}, nil, "", 0},
		{"two currencies", []delivery.Rate{large, euro}, nil, "", 0},
		{"nothing that is paid", nil, nil, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, ok := step.EstimateCost(c.rates, c.earlier)
			if ok != (c.want != "") || e.Text != c.want || ok && e.Amount.String() != usd(c.amount).String() {
				t.Errorf("%q, %s, %v; want %q", e.Text, e.Amount, ok, c.want)
			}
		})
	}
}

// What a job cost is by what it got, which need not be what was estimated.
func TestCostOf(t *testing.T) {
	e, _ := step.EstimateCost([]delivery.Rate{
		{Instance: "ml.m5.large", Price: usd(0.115), Limit: delivery.Duration(time.Hour)},
		{Instance: "ml.m5.xlarge", Price: usd(0.23), Limit: delivery.Duration(time.Hour), Kept: delivery.Duration(30 * time.Minute)},
	}, nil)
	if m := step.CostOf(&e, delivery.JobUsage{Instance: "ml.m5.large", Count: 2, Billed: delivery.Duration(30 * time.Minute)}); m == nil || *m != usd(0.115) {
		t.Errorf("cost = %v, want 0.115 USD", m)
	}
	if m := step.CostOf(&e, delivery.JobUsage{Instance: "ml.m5.xlarge", Count: 1, Billed: delivery.Duration(30 * time.Minute)}); m == nil || *m != usd(0.23) {
		t.Errorf("cost = %v, want 0.23 USD: the instance was kept", m)
	}
	if m := step.CostOf(&e, delivery.JobUsage{Instance: "ml.p3.2xlarge", Count: 1}); m != nil {
		t.Errorf("cost = %v of an instance without a price", m)
	}
}

func TestBudget_Exceeded(t *testing.T) {
	b := step.Budget{Budget: delivery.Budget{PerRun: usd(5), PerMonth: usd(50)}}
	for _, c := range []struct {
		name       string
		budget     step.Budget
		run, month float64
		want       string
	}{
		{"within", b, 5, 45, ""},
		{"a run", b, 5.01, 0, "the estimate of 5.01 USD is above the budget of 5 USD for a run"},
		{"a month", b, 5, 45.01, "the estimate of 5 USD is above the budget of 50 USD for a month, of which 45.01 USD are spent"},
		{"by a rounding error", b, 0.1 + 0.2, 49.7, ""},
		{"no limit for a run", step.Budget{Budget: delivery.Budget{PerMonth: usd(50)}}, 50, 0, ""},
		{"no limit for a month", step.Budget{Budget: delivery.Budget{PerRun: usd(5)}}, 1, 1000, ""},
		{"none", step.Budget{}, 1e5, 1e5, ""},
	} {
		if got := c.budget.Exceeded(usd(c.run), usd(c.month)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMonthOf(t *testing.T) {
	east := time.FixedZone("east", 7*3600)
	if got := step.MonthOf(time.Date(2026, 12, 1, 6, 59, 0, 0, east)).Format(time.RFC3339); got != "2026-11-01T00:00:00Z" {
		t.Errorf("the month began at %s, want November, in UTC", got)
	}
}

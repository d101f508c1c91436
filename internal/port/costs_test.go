package port_test

import (
	"slices"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestSpent(t *testing.T) {
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	entry := func(run delivery.RunID, at time.Time, amount float64, currency string) port.JobEntry {
		return port.JobEntry{Run: run, Step: "train", Begun: at, Cost: delivery.JobCost{Amount: &delivery.Money{Amount: amount, Currency: currency}}}
	}
	entries := []port.JobEntry{
		entry("a", month, 1, "USD"), entry("b", month.Add(time.Hour), 2.5, "USD"), entry("c", month.Add(-time.Second), 100, "USD"),
		entry("mine", month.Add(time.Hour), 7, "USD"), entry("d", month.Add(time.Hour), 3, "EUR"), {Run: "e", Begun: month.Add(time.Hour)},
	}
	sum, others := port.Spent(entries, month, "USD", func(e port.JobEntry) bool { return e.Run == "mine" })
	if sum != (delivery.Money{Amount: 3.5, Currency: "USD"}) || !slices.Equal(others, []string{"EUR"}) {
		t.Errorf("spent %s, and in %q; want 3.50 USD, and EUR", sum, others)
	}
}

func TestUsageOf(t *testing.T) {
	used := &delivery.JobUsage{Instance: "ml.m5.large", Count: 1, Billed: 60e9}
	cost := delivery.JobCost{Usage: used}
	got := port.UsageOf([]port.JobEntry{
		{Step: "train", Outcome: delivery.OutcomeSucceeded, Cost: cost}, {Step: "train", Outcome: delivery.OutcomeFailed, Cost: cost},
		{Step: "evaluate", Outcome: delivery.OutcomeSucceeded, Cost: cost}, {Step: "train", Outcome: delivery.OutcomeSucceeded}, {Step: "train", Cost: cost},
	}, "train")
	if !slices.Equal(got, []delivery.JobUsage{*used}) {
		t.Errorf("usage = %+v, want that of the training that succeeded", got)
	}
}

package porttest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// CostMachine is a machine whose runs a ledger is about.
type CostMachine struct {
	Ledger port.CostLedger
	// Begin records, before it returns, that a step begins that may submit a job. With
	// several steps, a run has them one after the other.
	Begin func(CostJob)
	// End records how it ended; cost is nil if it submitted none. What it returns may have
	// been cached.
	End func(j CostJob, o delivery.Outcome, cached bool, cost *delivery.JobCost)
}

// CostJob is a step that may submit a job.
type CostJob struct {
	Run         delivery.RunID
	Environment delivery.Environment
	Step        string // train or evaluate
	Begun       time.Time
	Estimate    *delivery.Money // nil: it costs nothing
}

// TestCostLedger holds an adapter to port.CostLedger. fresh returns a function that opens
// the same records, empty at first, as other machines would.
func TestCostLedger(t *testing.T, fresh func(t *testing.T) (open func() CostMachine)) {
	t.Run("begun", func(t *testing.T) { testCostBegun(t, fresh(t)) })
	t.Run("ended", func(t *testing.T) { testCostEnded(t, fresh(t)) })
	t.Run("since", func(t *testing.T) { testCostSince(t, fresh(t)) })
	t.Run("two in the same instant", func(t *testing.T) { testCostTwoAtOnce(t, fresh(t)) })
}

func costAt(minute int) time.Time { return time.Date(2026, 11, 24, 10, minute, 0, 0, time.UTC) }

func costRun(n int) delivery.RunID { return delivery.RunID(fmt.Sprintf("20261124-101502-%04d", n)) }

func dollars(amount float64) *delivery.Money { return &delivery.Money{Amount: amount, Currency: "USD"} }

func wantCosts(t *testing.T, m CostMachine, since time.Time, want []port.JobEntry) {
	t.Helper()
	got, err := m.Ledger.Costs(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b port.JobEntry) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Step, b.Step))
	})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// begunEntry is a job whose end is not known.
func begunEntry(j CostJob) port.JobEntry {
	return port.JobEntry{Run: j.Run, Step: j.Step, Begun: j.Begun, Cost: delivery.JobCost{Amount: j.Estimate, Estimated: true}}
}

// testCostBegun: a machine that has recorded its own job sees those that others, of all
// environments, recorded before.
func testCostBegun(t *testing.T, open func() CostMachine) {
	first := CostJob{costRun(1), "dev", "train", costAt(1), dollars(2)}
	free := CostJob{costRun(2), "staging", "train", costAt(2), nil}
	third := CostJob{costRun(3), "prod", "evaluate", costAt(3), dollars(0.5)}
	open().Begin(first)
	open().Begin(free)
	m := open()
	wantCosts(t, m, costAt(0), []port.JobEntry{begunEntry(first)})
	m.Begin(third)
	wantCosts(t, m, costAt(0), []port.JobEntry{begunEntry(first), begunEntry(third)})
}

func testCostEnded(t *testing.T, open func() CostMachine) {
	m := open()
	billed := &delivery.JobCost{Job: "j", Amount: dollars(1.25), Usage: &delivery.JobUsage{Instance: "ml.m5.large", Count: 1, Billed: delivery.Duration(time.Hour)}}
	job := func(n int) CostJob { return CostJob{costRun(n), "prod", "train", costAt(n), dollars(2)} }
	for _, c := range []struct {
		n       int
		outcome delivery.Outcome
		cached  bool
		cost    *delivery.JobCost
	}{
		{1, delivery.OutcomeSucceeded, false, billed},
		{2, delivery.OutcomeFailed, false, billed},
		{3, delivery.OutcomeSucceeded, true, billed},
		{4, delivery.OutcomeWaiting, false, nil},
	} {
		m.Begin(job(c.n))
		m.End(job(c.n), c.outcome, c.cached, c.cost)
	}
	wantCosts(t, open(), costAt(0), []port.JobEntry{
		{Run: costRun(1), Step: "train", Begun: costAt(1), Outcome: delivery.OutcomeSucceeded, Cost: *billed},
		{Run: costRun(2), Step: "train", Begun: costAt(2), Outcome: delivery.OutcomeFailed, Cost: *billed},
	})
}

func testCostSince(t *testing.T, open func() CostMachine) {
	m := open()
	early, late := CostJob{costRun(1), "prod", "train", costAt(1), dollars(1)}, CostJob{costRun(2), "prod", "train", costAt(2), dollars(2)}
	m.Begin(early)
	m.Begin(late)
	wantCosts(t, m, costAt(2), []port.JobEntry{begunEntry(late)})
	wantCosts(t, m, costAt(3), nil)
}

// testCostTwoAtOnce: of two machines that record a job and ask then, at least one sees the
// other's: they can't both take the rest of a budget.
func testCostTwoAtOnce(t *testing.T, open func() CostMachine) {
	machines := [2]CostMachine{open(), open()}
	for n := range 10 {
		var jobs [2]CostJob
		var sees [2]bool
		var all sync.WaitGroup
		for i, m := range machines {
			jobs[i] = CostJob{costRun(2*n + i), delivery.Environment([]string{"staging", "prod"}[i]), "train", costAt(n), dollars(3)}
			all.Go(func() {
				m.Begin(jobs[i])
				entries, err := m.Ledger.Costs(t.Context(), costAt(0))
				if err != nil {
					t.Error(err)
				}
				sees[i] = slices.ContainsFunc(entries, func(e port.JobEntry) bool { return e.Run == costRun(2*n+1-i) && e.Cost.Estimated })
			})
		}
		all.Wait()
		if !sees[0] && !sees[1] {
			t.Fatalf("round %d: neither machine sees the other's job", n)
		}
	}
}

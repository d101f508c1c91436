package storetest

import (
	"sort"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// each calls do for 0..n-1 at the same time, by turns with either handle.
func each(t *testing.T, n int, handles []record.Store, do func(s record.Store, i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(handles[i%len(handles)], i)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func twice(t *testing.T, open func(*testing.T) record.Store) []record.Store {
	t.Helper()
	return []record.Store{closing(t, open(t)), closing(t, open(t))}
}

func testTwoHandlesQueue(t *testing.T, open func(*testing.T) record.Store) {
	h := twice(t, open)
	const n = 12
	got := make([]record.Run, n)
	each(t, n, h, func(s record.Store, i int) (err error) {
		got[i], err = s.Runs().Enqueue(t.Context(), newRun(i, "prod"))
		return err
	})
	sort.Slice(got, func(i, j int) bool { return got[i].Seq < got[j].Seq })
	for i := 1; i < n; i++ {
		if got[i].Seq == got[i-1].Seq {
			t.Errorf("%s and %s have the same place %d", got[i].ID, got[i-1].ID, got[i].Seq)
		}
	}
	for i, r := range got {
		wantHead(t, h[i%2], "prod", r.ID)
		ok(t, h[(i+1)%2].Runs().Finish(t.Context(), r.ID, record.RunResult{Outcome: delivery.OutcomeDeployed, At: at(1)}))
	}
	wantHead(t, h[0], "prod", "")
}

func testTwoHandlesSame(t *testing.T, open func(*testing.T) record.Store) {
	h := twice(t, open)
	ok(t, h[0].Outbox().Post(t.Context(), "mail", port.Message{ID: "m"}))
	each(t, 12, h, func(s record.Store, i int) error {
		if err := s.Outbox().Post(t.Context(), "chat", port.Message{ID: "m"}); err != nil {
			return err
		}
		if _, err := s.Runs().Enqueue(t.Context(), newRun(1, "dev")); err != nil {
			return err
		}
		return s.Cache().Put(t.Context(), digest("a"), runID(1), step.Result{Outcome: delivery.OutcomeSucceeded})
	})
	same(t, "messages", len(must(h[0].Outbox().Due(t.Context(), at(59), 0))), 2)
	same(t, "runs", len(must(port.Collect(record.AllRuns(t.Context(), h[1].Runs(), "")))), 1)
}

func testReopen(t *testing.T, open func(*testing.T) record.Store) {
	s := open(t)
	r := enqueue(t, s, 1, "prod")
	ok(t, s.Runs().Start(t.Context(), r.ID, 1, "h", at(1)))
	ok(t, s.Runs().SaveStep(t.Context(), record.StepRecord{Run: r.ID, Name: "deploy", Kind: step.Deploy, Attempt: 1, Begun: at(1)}))
	before := must(s.Runs().Get(t.Context(), r.ID))
	ok(t, s.Close())
	s = closing(t, open(t))
	same(t, "run", must(s.Runs().Get(t.Context(), r.ID)), before)
	same(t, "plan", must(s.Runs().Get(t.Context(), r.ID)).Plan.Version, plan.Version)
	same(t, "steps", len(must(s.Runs().ListSteps(t.Context(), r.ID))), 1)
}

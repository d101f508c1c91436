package storetest

import (
	"fmt"
	"sort"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
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
	const n = 24
	got := make([]record.Run, n)
	each(t, n, h, func(s record.Store, i int) (err error) {
		got[i], err = s.Enqueue(t.Context(), newRun(i, "prod"))
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
		ok(t, h[(i+1)%2].Finish(t.Context(), r.ID, record.RunResult{Outcome: delivery.OutcomeDeployed, At: at(1)}))
	}
	wantHead(t, h[0], "prod", "")
}

func testTwoHandlesModels(t *testing.T, open func(*testing.T) record.Store) {
	h := twice(t, open)
	const n = 24
	versions := make([]int, n)
	each(t, n, h, func(s record.Store, i int) error {
		artifact := delivery.Digest(fmt.Sprintf("sha256:%064x", i/2)) // each one twice
		v, err := s.Register(t.Context(), "retail", artifact, nil, delivery.Lineage{})
		versions[i] = v.Version
		return err
	})
	seen := map[int]int{}
	for _, v := range versions {
		seen[v]++
	}
	for v := 1; v <= n/2; v++ {
		if seen[v] != 2 {
			t.Errorf("version %d was given %d times, want 2 (%v)", v, seen[v], seen)
		}
	}
}

func testTwoHandlesServing(t *testing.T, open func(*testing.T) record.Store) {
	h := twice(t, open)
	const n = 16
	ids := make([]int64, n)
	for i := range n {
		ids[i] = begin(t, h[i%2], i+1, "prod").ID
	}
	each(t, n, h, func(s record.Store, i int) error { return s.Accept(t.Context(), ids[i], at(i)) })
	count := map[delivery.DeploymentState]int{}
	for _, d := range must(h[0].History(t.Context(), "prod", 0)) {
		count[d.State]++
	}
	if count[delivery.Serving] != 1 || count[delivery.Replaced] != n-1 {
		t.Errorf("states: %v, want one serving", count)
	}
	if _, found, err := h[1].Current(t.Context(), "prod"); !found || err != nil {
		t.Errorf("serving: %v, %v", found, err)
	}
}

func testTwoHandlesSame(t *testing.T, open func(*testing.T) record.Store) {
	h := twice(t, open)
	ok(t, h[0].Post(t.Context(), "mail", port.Message{ID: "m"}))
	each(t, 12, h, func(s record.Store, i int) error {
		if err := s.Post(t.Context(), "chat", port.Message{ID: "m"}); err != nil {
			return err
		}
		if _, err := s.Enqueue(t.Context(), newRun(1, "dev")); err != nil {
			return err
		}
		if _, err := s.Save(t.Context(), runID(i), newRelease(1)); err != nil {
			return err
		}
		if err := s.Record(t.Context(), port.Approval{Run: runID(1), Subject: "deploy", By: "ana", Approved: i%2 == 0, At: at(i)}); err != nil {
			return err
		}
		return s.Put(t.Context(), digest("a"), runID(1), step.Result{Outcome: delivery.OutcomeSucceeded})
	})
	same(t, "messages", len(must(h[0].Due(t.Context(), at(59), 0))), 2)
	same(t, "runs", len(must(h[1].Runs(t.Context(), "", 0))), 1)
	same(t, "releases", len(must(h[0].Releases(t.Context(), 0))), 1)
	same(t, "words", len(must(h[1].Approvals(t.Context(), runID(1)))), 1)
	ref := must(h[0].Register(t.Context(), "retail", digest("a"), nil, delivery.Lineage{})).ModelRef
	won := make([]bool, 8)
	each(t, 8, h, func(s record.Store, i int) error {
		status := delivery.Approved
		if i%2 == 0 {
			status = delivery.Rejected
		}
		_, err := s.Decide(t.Context(), ref, status, fmt.Sprint(i), "")
		won[i] = err == nil
		if fault.Is(err, fault.Conflict) {
			return nil
		}
		return err
	})
	for i := 2; i < 8; i++ {
		if won[i] != won[i-2] {
			t.Fatalf("both decisions were taken: %v", won)
		}
	}
	if won[0] == won[1] {
		t.Errorf("approved and rejected: %v", won)
	}
}

func testReopen(t *testing.T, open func(*testing.T) record.Store) {
	s := open(t)
	r := enqueue(t, s, 1, "prod")
	ok(t, s.Start(t.Context(), r.ID, 1, "h", at(1)))
	ok(t, s.SaveStep(t.Context(), record.StepRecord{Run: r.ID, Name: "deploy", Kind: step.Deploy, Attempt: 1, Begun: at(1)}))
	d := begin(t, s, 1, "prod")
	ok(t, s.Accept(t.Context(), d.ID, at(2)))
	ok(t, s.Quarantine(t.Context(), delivery.Quarantine{Release: d.Release, Environment: "prod", Reason: "x", Since: at(1), Run: r.ID}))
	before := must(s.Run(t.Context(), r.ID))
	ok(t, s.Close())
	s = closing(t, open(t))
	same(t, "run", must(s.Run(t.Context(), r.ID)), before)
	same(t, "plan", must(s.Run(t.Context(), r.ID)).Plan.Version, plan.Version)
	same(t, "steps", len(must(s.Steps(t.Context(), r.ID))), 1)
	serving, found, err := s.Current(t.Context(), "prod")
	ok(t, err)
	if !found || serving.ID != d.ID {
		t.Errorf("serving after reopening: %+v", serving)
	}
	if must(s.Release(t.Context(), d.Release)).Quarantined == nil {
		t.Error("the quarantine was forgotten")
	}
}

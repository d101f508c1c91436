package storetest

import (
	"encoding/json"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func testSteps(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	r := enqueue(t, s, 1, "dev")
	passed := &step.Result{
		Outcome: delivery.OutcomeSucceeded, Summary: "212 passed", Output: json.RawMessage(`{"passed":212}`),
		GateResults: []delivery.GateResult{{Gate: "g", Verdict: delivery.Passed}}, Started: at(1), Ended: at(2), Unknown: newerFields,
	}
	rec := func(name string, index, attempt int, result *step.Result) record.StepRecord {
		return record.StepRecord{Run: r.ID, Name: name, Index: index, Kind: step.Test, Attempt: attempt, Begun: at(attempt), Result: result}
	}
	unmet := func(r record.StepRecord) record.StepRecord {
		r.Unmet, r.Cancelled = "build failed", "ana"
		return r
	}
	type move struct {
		save record.StepRecord
		want record.StepRecord
		why  string
	}
	failed := &step.Result{Outcome: delivery.OutcomeFailed, Cause: "no"}
	moves := []move{
		{rec("b", 1, 1, nil), rec("b", 1, 1, nil), "begun"},
		{rec("b", 1, 1, failed), rec("b", 1, 1, failed), "its result"},
		{rec("b", 1, 1, nil), rec("b", 1, 1, failed), "a result is not lost to its own beginning"},
		{rec("b", 1, 2, nil), rec("b", 1, 2, nil), "the next attempt begins"},
		{rec("b", 1, 1, failed), rec("b", 1, 2, nil), "an earlier attempt is old news"},
		{rec("b", 1, 2, passed), rec("b", 1, 2, passed), "its result"},
		{rec("b", 1, 2, failed), rec("b", 1, 2, failed), "a newer result of the same attempt"},
		{unmet(rec("b", 1, 3, failed)), unmet(rec("b", 1, 3, failed)), "why it was not run"},
		{rec("b", 1, 4, nil), rec("b", 1, 4, nil), "the next attempt knows nothing of that"},
	}
	for _, m := range moves {
		ok(t, s.Runs().SaveStep(t.Context(), m.save))
		same(t, m.why, plain(must(s.Runs().ListSteps(t.Context(), r.ID))), plain([]record.StepRecord{m.want}))
	}
	ok(t, s.Runs().SaveStep(t.Context(), rec("a", 0, 1, passed)))
	ok(t, s.Runs().SaveStep(t.Context(), rec("rollback.b", 2, 1, passed)))
	var names []string
	for _, st := range must(s.Runs().ListSteps(t.Context(), r.ID)) {
		names = append(names, st.Name)
	}
	same(t, "order", names, []string{"a", "b", "rollback.b"})
	same(t, "steps of an unknown run", len(must(s.Runs().ListSteps(t.Context(), runID(99)))), 0)
	lost := rec("a", 0, 1, nil)
	lost.Run = runID(99)
	wantKind(t, "a step of an unknown run", s.Runs().SaveStep(t.Context(), lost), fault.NotFound)
}

// plain is the records as JSON, which follows pointers.
func plain(steps []record.StepRecord) string {
	raw, err := json.Marshal(steps)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func testStepBatch(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	batch, is := s.Runs().(record.StepBatcher)
	if !is {
		t.Skip("the store keeps steps one by one")
	}
	r := enqueue(t, s, 1, "dev")
	done := &step.Result{Outcome: delivery.OutcomeSucceeded}
	steps := []record.StepRecord{
		{Run: r.ID, Name: "a", Index: 0, Kind: step.Test, Attempt: 1},
		{Run: r.ID, Name: "a", Index: 0, Kind: step.Test, Attempt: 1, Result: done},
		{Run: r.ID, Name: "b", Index: 1, Kind: step.Test, Attempt: 1},
	}
	ok(t, batch.SaveSteps(t.Context(), steps))
	same(t, "batch", plain(must(s.Runs().ListSteps(t.Context(), r.ID))), plain(steps[1:]))
	half := []record.StepRecord{
		{Run: r.ID, Name: "c", Index: 2, Kind: step.Test, Attempt: 1},
		{Run: runID(99), Name: "d", Index: 3, Kind: step.Test, Attempt: 1},
	}
	wantKind(t, "a batch with an unknown run", batch.SaveSteps(t.Context(), half), fault.NotFound)
	same(t, "all or none", plain(must(s.Runs().ListSteps(t.Context(), r.ID))), plain(steps[1:]))
	ok(t, batch.SaveSteps(t.Context(), nil))
}

func testFindSteps(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	first, second := enqueue(t, s, 1, "dev"), enqueue(t, s, 2, "prod")
	done := &step.Result{
		Outcome: delivery.OutcomeSucceeded,
		Cost:    &delivery.JobCost{Job: "j", Usage: &delivery.JobUsage{Instance: "large", Count: 1, Billed: 60e9}, Amount: &delivery.Money{Amount: 0.5, Currency: "USD"}},
	}
	rec := func(r record.Run, name string, kind step.Kind, begun int, result *step.Result) record.StepRecord {
		return record.StepRecord{Run: r.ID, Name: name, Kind: kind, Attempt: 1, Begun: at(begun), Result: result}
	}
	early, late, open2 := rec(first, "train", step.Train, 1, done), rec(second, "train", step.Train, 3, done), rec(second, "evaluate", step.Evaluate, 4, nil)
	for _, r := range []record.StepRecord{late, early, open2, rec(first, "build", step.Build, 3, nil)} {
		ok(t, s.Runs().SaveStep(t.Context(), r))
	}
	find := func(since int, kinds ...step.Kind) string {
		return plain(must(s.Runs().FindSteps(t.Context(), kinds, at(since))))
	}
	same(t, "all of two kinds", find(0, step.Train, step.Evaluate), plain([]record.StepRecord{early, late, open2}))
	same(t, "since", find(3, step.Train), plain([]record.StepRecord{late}))
	same(t, "none of the kind", len(must(s.Runs().FindSteps(t.Context(), []step.Kind{step.Scan}, at(0)))), 0)
	same(t, "no kind", len(must(s.Runs().FindSteps(t.Context(), nil, at(0)))), 0)
}

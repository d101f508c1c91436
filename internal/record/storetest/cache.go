package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func digest(c string) delivery.Digest { return delivery.Digest("sha256:" + strings.Repeat(c, 64)) }

// newerFields are what a newer program wrote: they are kept.
const newerFields delivery.Unknown = `"newer":{"a":[1,2]}`

func testCache(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	start := time.Now()
	if _, found, err := s.Cache().Lookup(t.Context(), digest("a")); found || err != nil {
		t.Errorf("recall of nothing: %v, %v", found, err)
	}
	r := step.Result{Outcome: delivery.OutcomeSucceeded, Summary: "1", Output: json.RawMessage(`{"a":1}`), Started: at(1), Ended: at(2),
		GateResults: []delivery.GateResult{{Gate: "g", Unknown: newerFields}}, Unknown: newerFields}
	ok(t, s.Cache().Put(t.Context(), digest("a"), runID(1), r))
	got, found, err := s.Cache().Lookup(t.Context(), digest("a"))
	ok(t, err)
	if !found {
		t.Fatal("a remembered result was not recalled")
	}
	same(t, "recalled", got, r)
	r.Summary = "2"
	ok(t, s.Cache().Put(t.Context(), digest("a"), runID(2), r))
	got, _, err = s.Cache().Lookup(t.Context(), digest("a"))
	ok(t, err)
	same(t, "newest", got.Summary, "2")
	ok(t, s.Cache().Put(t.Context(), digest("b"), runID(2), r))
	same(t, "nothing is old", must(s.Cache().Prune(t.Context(), start.Add(-time.Hour))), 0)
	pause(t, start)
	middle := time.Now()
	pause(t, middle)
	if _, found, err := s.Cache().Peek(t.Context(), digest("b")); !found || err != nil {
		t.Errorf("peek: %v, %v", found, err)
	}
	if _, found, err := s.Cache().Peek(t.Context(), digest("none")); found || err != nil {
		t.Errorf("peek at an unknown key: %v, %v", found, err)
	}
	if _, found, err = s.Cache().Lookup(t.Context(), digest("a")); !found || err != nil {
		t.Errorf("recall: %v, %v", found, err)
	}
	same(t, "count what was not used since", must(s.Cache().CountUnused(t.Context(), middle)), 1)
	same(t, "forget what was not used since", must(s.Cache().Prune(t.Context(), middle)), 1)
	same(t, "count what is left", must(s.Cache().CountUnused(t.Context(), middle)), 0)
	if _, found, _ = s.Cache().Lookup(t.Context(), digest("a")); !found {
		t.Error("a result that was recalled since was forgotten")
	}
	if _, found, _ = s.Cache().Lookup(t.Context(), digest("b")); found {
		t.Error("a forgotten result was recalled")
	}
	failed := step.Result{Outcome: delivery.OutcomeFailed}
	wantKind(t, "keep a failure", s.Cache().Put(t.Context(), digest("c"), runID(1), failed), fault.Invalid)
	wantKind(t, "keep under no key", s.Cache().Put(t.Context(), "", runID(1), r), fault.Invalid)
}

// pause waits until the clock has moved on from then.
func pause(t *testing.T, then time.Time) {
	t.Helper()
	for !time.Now().After(then.Add(time.Millisecond)) {
		if t.Context().Err() != nil {
			t.Fatal("the test was stopped")
		}
	}
}

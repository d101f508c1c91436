package storetest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func digest(c string) delivery.Digest { return delivery.Digest("sha256:" + strings.Repeat(c, 64)) }

func testCache(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	start := time.Now()
	if _, found, err := s.Lookup(t.Context(), digest("a")); found || err != nil {
		t.Errorf("recall of nothing: %v, %v", found, err)
	}
	r := step.Result{Outcome: delivery.OutcomeSucceeded, Summary: "1", Output: json.RawMessage(`{"a":1}`), Started: at(1), Ended: at(2)}
	ok(t, s.Put(t.Context(), digest("a"), runID(1), r))
	got, found, err := s.Lookup(t.Context(), digest("a"))
	ok(t, err)
	if !found {
		t.Fatal("a remembered result was not recalled")
	}
	same(t, "recalled", got, r)
	r.Summary = "2"
	ok(t, s.Put(t.Context(), digest("a"), runID(2), r))
	got, _, err = s.Lookup(t.Context(), digest("a"))
	ok(t, err)
	same(t, "newest", got.Summary, "2")
	ok(t, s.Put(t.Context(), digest("b"), runID(2), r))
	same(t, "nothing is old", must(s.Prune(t.Context(), start.Add(-time.Hour))), 0)
	pause(t, start)
	middle := time.Now()
	pause(t, middle)
	if _, found, err = s.Lookup(t.Context(), digest("a")); !found || err != nil {
		t.Errorf("recall: %v, %v", found, err)
	}
	same(t, "forget what was not used since", must(s.Prune(t.Context(), middle)), 1)
	if _, found, _ = s.Lookup(t.Context(), digest("a")); !found {
		t.Error("a result that was recalled since was forgotten")
	}
	if _, found, _ = s.Lookup(t.Context(), digest("b")); found {
		t.Error("a forgotten result was recalled")
	}
	failed := step.Result{Outcome: delivery.OutcomeFailed}
	wantKind(t, "keep a failure", s.Put(t.Context(), digest("c"), runID(1), failed), fault.Invalid)
	wantKind(t, "keep under no key", s.Put(t.Context(), "", runID(1), r), fault.Invalid)
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

func testOutbox(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	now := time.Now()
	m := port.Message{ID: "m1", Title: "deployed", Text: "r-1 serves", JSON: []byte(`{"a":1}`)}
	ok(t, s.Post(t.Context(), "chat", m))
	ok(t, s.Post(t.Context(), "chat", m))
	ok(t, s.Post(t.Context(), "mail", m))
	ok(t, s.Post(t.Context(), "chat", port.Message{ID: "m2", Title: "later"}))
	due := must(s.Due(t.Context(), now, 0))
	if len(due) != 3 || due[0].Receiver != "chat" || due[1].Receiver != "mail" || due[2].Message.ID != "m2" {
		t.Fatalf("due: %+v", due)
	}
	same(t, "message", due[0].Message, m)
	same(t, "limit", len(must(s.Due(t.Context(), now, 2))), 2)
	later := now.Add(time.Minute).UTC()
	ok(t, s.Reschedule(t.Context(), due[0].ID, later))
	same(t, "put off", len(must(s.Due(t.Context(), now, 0))), 2)
	again := must(s.Due(t.Context(), later, 0))
	if len(again) != 3 || again[0].ID != due[0].ID || again[0].Attempts != 1 || !again[0].Next.Equal(later) {
		t.Errorf("after its time: %+v", again)
	}
	ok(t, s.MarkSent(t.Context(), due[1].ID))
	ok(t, s.MarkSent(t.Context(), due[1].ID))
	same(t, "sent", len(must(s.Due(t.Context(), later, 0))), 2)
	ok(t, s.Post(t.Context(), "mail", m))
	same(t, "posted again after it was sent", len(must(s.Due(t.Context(), later, 0))), 2)
}

func testApprovals(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	same(t, "none", len(must(s.Approvals(t.Context(), runID(1)))), 0)
	words := []port.Approval{
		{Run: runID(1), Subject: "deploy", By: "ana", Approved: true, Reason: "fine", At: at(1)},
		{Run: runID(1), Subject: "deploy", By: "ben", Approved: false, Reason: "not today", At: at(2)},
		{Run: runID(1), Subject: "model retail:3", By: "ana", Approved: true, At: at(3)},
	}
	for _, w := range words {
		ok(t, s.Record(t.Context(), w))
	}
	changed := words[0]
	changed.Approved, changed.Reason = false, "no!"
	ok(t, s.Record(t.Context(), changed))
	ok(t, s.Record(t.Context(), port.Approval{Run: runID(2), Subject: "deploy", By: "ana", At: at(1)}))
	same(t, "words", must(s.Approvals(t.Context(), runID(1))), words)
	wantKind(t, "nobody's word", s.Record(t.Context(), port.Approval{Run: runID(1), Subject: "deploy"}), fault.Invalid)
}

func testModels(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	metrics := delivery.Metrics{"accuracy": 0.87, "report": map[string]any{"f1": 0.5}, "name": "x", "none": nil, "list": []any{1.0}}
	lineage := delivery.Lineage{Commit: "abc", Data: digest("d"), Job: "j", Run: runID(1), Command: "train", Training: digest("e")}
	first, err := s.Register(t.Context(), "retail", digest("a"), metrics, lineage)
	ok(t, err)
	want := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: "retail", Version: 1, Digest: digest("a")}, Status: delivery.PendingApproval,
		Metrics: metrics, Lineage: lineage, CreatedAt: first.CreatedAt,
	}
	same(t, "registered", first, want)
	if first.CreatedAt.IsZero() {
		t.Error("it has no time")
	}
	second := must(s.Register(t.Context(), "retail", digest("b"), nil, delivery.Lineage{}))
	other := must(s.Register(t.Context(), "fraud", digest("a"), nil, delivery.Lineage{}))
	same(t, "versions", []int{second.Version, other.Version}, []int{2, 1})
	again := must(s.Register(t.Context(), "retail", digest("a"), delivery.Metrics{"accuracy": 0.1}, delivery.Lineage{Commit: "zzz"}))
	same(t, "the same artifact", again, first)
	same(t, "found", must(s.Model(t.Context(), "retail", 1)), first)
	list := must(s.Models(t.Context(), "retail"))
	if len(list) != 2 || list[0].Version != 2 || list[1].Version != 1 {
		t.Errorf("newest first: %+v", list)
	}
	same(t, "all groups", len(must(s.Models(t.Context(), ""))), 3)
	_, err = s.Model(t.Context(), "retail", 3)
	wantKind(t, "unknown version", err, fault.NotFound)
	foreign := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: "retail", Version: 7, Digest: digest("f")}, Status: delivery.Approved,
		Metrics: delivery.Metrics{"accuracy": 0.8}, Lineage: lineage, CreatedAt: first.CreatedAt, DecidedBy: "ann", DecidedAt: first.CreatedAt, Why: "good",
	}
	for range 2 {
		if err := s.Import(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(s.Model(t.Context(), "retail", 7)); !reflect.DeepEqual(got, foreign) {
		t.Errorf("adopted %+v, want %+v", got, foreign)
	}
	for _, taken := range []delivery.ModelRef{{Group: "retail", Version: 7, Digest: digest("e")}, {Group: "retail", Version: 9, Digest: digest("a")}} {
		other := foreign
		other.ModelRef = taken
		if err := s.Import(t.Context(), other); !fault.Is(err, fault.Conflict) {
			t.Errorf("adopting %s: %v, want a conflict", taken, err)
		}
	}
	_, err = s.Register(t.Context(), "retail", "latest", nil, lineage)
	wantKind(t, "artifact without a digest", err, fault.Invalid)
}

func testDecisions(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	ref := must(s.Register(t.Context(), "retail", digest("a"), nil, delivery.Lineage{})).ModelRef
	_, err := s.Decide(t.Context(), ref, delivery.PendingApproval, "ana", "")
	wantKind(t, "pending is no decision", err, fault.Invalid)
	first := must(s.Decide(t.Context(), ref, delivery.Approved, "ana", "good"))
	if first.Status != delivery.Approved || first.DecidedBy != "ana" || first.Why != "good" || first.DecidedAt.IsZero() {
		t.Errorf("decided: %+v", first)
	}
	same(t, "the same again", must(s.Decide(t.Context(), ref, delivery.Approved, "ben", "me too")), first)
	_, err = s.Decide(t.Context(), ref, delivery.Rejected, "ben", "bad")
	wantKind(t, "otherwise than before", err, fault.Conflict)
	same(t, "unchanged", must(s.Model(t.Context(), "retail", 1)), first)
	_, err = s.Decide(t.Context(), delivery.ModelRef{Group: "retail", Version: 9}, delivery.Approved, "ana", "")
	wantKind(t, "unknown version", err, fault.NotFound)
	second := must(s.Register(t.Context(), "retail", digest("b"), nil, delivery.Lineage{})).ModelRef
	same(t, "rejected", must(s.Decide(t.Context(), second, delivery.Rejected, "ana", "")).Status, delivery.Rejected)
	_, err = s.Decide(t.Context(), second, delivery.Approved, "ana", "")
	wantKind(t, "approve what was rejected", err, fault.Conflict)
}

package storetest

import (
	"encoding/json"
	"fmt"
	"sort"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func testQueue(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	wantHead(t, s, "dev", "")
	first, second := enqueue(t, s, 1, "dev"), enqueue(t, s, 2, "dev")
	other := enqueue(t, s, 3, "prod")
	if first.Seq >= second.Seq || first.State != record.Queued || first.Turn != 1 {
		t.Errorf("queued: %+v then %+v", first, second)
	}
	want := newRun(1, "dev")
	want.Seq, want.Turn, want.State = first.Seq, 1, record.Queued
	want.PlanDigest, want.Commit = must(plan.Digest(want.Plan)), want.Plan.Commit.SHA
	got, err := s.Runs().Get(t.Context(), first.ID)
	ok(t, err)
	same(t, "queued run", got, want)
	again, err := s.Runs().Enqueue(t.Context(), newRun(1, "dev"))
	ok(t, err)
	same(t, "queued twice", again, first)
	wantHead(t, s, "dev", first.ID)
	wantHead(t, s, "prod", other.ID)
	ok(t, s.Runs().Start(t.Context(), first.ID, 7, "host", at(5)))
	ok(t, s.Runs().Start(t.Context(), first.ID, 8, "host2", at(6))) // resumed
	got, err = s.Runs().Get(t.Context(), first.ID)
	ok(t, err)
	want.State, want.PID, want.Host, want.StartedAt = record.Running, 8, "host2", at(5)
	same(t, "started run", got, want)
	wantHead(t, s, "dev", first.ID)
	ok(t, s.Runs().Finish(t.Context(), first.ID, record.RunResult{Outcome: delivery.OutcomeFailed, At: at(7)}))
	wantHead(t, s, "dev", second.ID)
	_, err = s.Runs().Get(t.Context(), runID(99))
	wantKind(t, "unknown run", err, fault.NotFound)
	wantKind(t, "start of an unknown run", s.Runs().Start(t.Context(), runID(99), 1, "h", at(1)), fault.NotFound)
	wantKind(t, "start of an ended run", s.Runs().Start(t.Context(), first.ID, 1, "h", at(1)), fault.Conflict)
	bad := newRun(1, "dev")
	bad.ID = "../../etc/passwd"
	_, err = s.Runs().Enqueue(t.Context(), bad)
	wantKind(t, "a name that is a path", err, fault.Invalid)
}

func testWaiting(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	first, second := enqueue(t, s, 1, "prod"), enqueue(t, s, 2, "prod")
	same(t, "requeue of a queued run", must(s.Runs().Requeue(t.Context(), first.ID)), first)
	ok(t, s.Runs().Start(t.Context(), first.ID, 7, "host", at(1)))
	running := must(s.Runs().Get(t.Context(), first.ID))
	same(t, "requeue of a running run", must(s.Runs().Requeue(t.Context(), first.ID)), running)
	taken := must(s.Runs().Retake(t.Context(), first.ID))
	same(t, "turn of a run that was taken over", taken.Turn, running.Turn+1)
	taken.Turn = running.Turn
	same(t, "the rest of it", taken, running)
	same(t, "take over a queued run", must(s.Runs().Retake(t.Context(), second.ID)), second)
	ok(t, s.Runs().Finish(t.Context(), first.ID, record.RunResult{Outcome: delivery.OutcomeWaiting, Cause: "for ben", Hint: "ask ben", At: at(2)}))
	waits := must(s.Runs().Get(t.Context(), first.ID))
	if waits.State != record.Waiting || waits.Outcome != delivery.OutcomeWaiting || waits.Cause != "for ben" {
		t.Errorf("set aside: %+v", waits)
	}
	wantHead(t, s, "prod", second.ID)
	unfinished, err := s.Runs().Unfinished(t.Context())
	ok(t, err)
	same(t, "unfinished", ids(unfinished), []delivery.RunID{second.ID})
	for env, want := range map[delivery.Environment][]delivery.RunID{"": {first.ID}, "prod": {first.ID}, "dev": {}} {
		waiting, err := s.Runs().Waiting(t.Context(), env)
		ok(t, err)
		same(t, "waiting runs of "+string(env), ids(waiting), want)
	}
	back := must(s.Runs().Requeue(t.Context(), first.ID))
	if back.Turn != 3 || back.State != record.Queued || back.Seq <= second.Seq || back.Outcome != "" || back.Cause != "" || !back.EndedAt.IsZero() {
		t.Errorf("queued again: %+v", back)
	}
	same(t, "start stays", back.StartedAt, at(1))
	wantHead(t, s, "prod", second.ID)
	ok(t, s.Runs().Finish(t.Context(), second.ID, record.RunResult{Outcome: delivery.OutcomeDeployed, At: at(3)}))
	wantHead(t, s, "prod", first.ID)
	ended := must(s.Runs().Get(t.Context(), second.ID))
	same(t, "requeue of an ended run", must(s.Runs().Requeue(t.Context(), second.ID)), ended)
	_, err = s.Runs().Requeue(t.Context(), runID(99))
	wantKind(t, "requeue of an unknown run", err, fault.NotFound)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func testRunLists(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	a, b, c := enqueue(t, s, 1, "dev"), enqueue(t, s, 2, "prod"), enqueue(t, s, 3, "dev")
	ok(t, s.Runs().Finish(t.Context(), a.ID, record.RunResult{Outcome: delivery.OutcomeSkipped, At: at(9)}))
	cases := []struct {
		env  delivery.Environment
		n    int
		want []delivery.RunID
	}{
		{"", 0, []delivery.RunID{c.ID, b.ID, a.ID}},
		{"dev", 0, []delivery.RunID{c.ID, a.ID}},
		{"", 2, []delivery.RunID{c.ID, b.ID}},
		{"nowhere", 0, []delivery.RunID{}},
	}
	for _, c := range cases {
		runs, _, err := s.Runs().List(t.Context(), c.env, port.Page{Limit: c.n})
		ok(t, err)
		same(t, "runs of "+string(c.env), ids(runs), c.want)
	}
	same(t, "unfinished", ids(must(s.Runs().Unfinished(t.Context()))), []delivery.RunID{b.ID, c.ID})
}

func testRunPages(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	const n = port.DefaultPageSize + 5
	var want []delivery.RunID
	for i := range n { // several at the same time: at counts in minutes
		want = append(want, enqueue(t, s, i, "dev").ID)
	}
	enqueue(t, s, n, "prod")
	sort.Slice(want, func(i, j int) bool {
		a, b := runNumber(want[i]), runNumber(want[j])
		return a%60 > b%60 || a%60 == b%60 && a > b
	})
	first, next, err := s.Runs().List(t.Context(), "dev", port.Page{})
	ok(t, err)
	same(t, "default page", ids(first), want[:port.DefaultPageSize])
	enqueued := newRun(n+1, "dev")
	enqueued.CreatedAt = at(61)
	_, err = s.Runs().Enqueue(t.Context(), enqueued) // newer than all: it moves no page
	ok(t, err)
	rest, end, err := s.Runs().List(t.Context(), "dev", port.Page{After: next})
	ok(t, err)
	same(t, "rest", ids(rest), want[port.DefaultPageSize:])
	same(t, "end", end, "")
	var all []delivery.RunID
	for page := (port.Page{Limit: 7}); ; {
		some, next, err := s.Runs().List(t.Context(), "dev", page)
		ok(t, err)
		all = append(all, ids(some)...)
		if page.After = next; next == "" {
			break
		}
	}
	same(t, "pages of seven", all, append([]delivery.RunID{enqueued.ID}, want...))
	same(t, "all runs", ids(must(port.Collect(record.AllRuns(t.Context(), s.Runs(), "dev")))), all)
	_, _, err = s.Runs().List(t.Context(), "dev", port.Page{After: "nonsense"})
	wantKind(t, "another list's cursor", err, fault.Invalid)
}

// runNumber is the number that runID was called with.
func runNumber(id delivery.RunID) (n int) {
	fmt.Sscanf(string(id[len(id)-4:]), "%d", &n)
	return n
}

func testFinish(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	r := enqueue(t, s, 1, "dev")
	ok(t, s.Runs().Start(t.Context(), r.ID, 1, "h", at(1)))
	end := record.RunResult{Outcome: delivery.OutcomeRolledBack, Cause: "watch: errors", Hint: "look", Release: "r-0123456789ab", At: at(2)}
	ok(t, s.Runs().Finish(t.Context(), r.ID, end))
	ok(t, s.Runs().Finish(t.Context(), r.ID, record.RunResult{Outcome: delivery.OutcomeDeployed, At: at(3)}))
	got := must(s.Runs().Get(t.Context(), r.ID))
	if got.State != record.Ended || got.Outcome != end.Outcome || got.Cause != end.Cause || got.Hint != end.Hint ||
		got.Release != end.Release || !got.EndedAt.Equal(end.At) {
		t.Errorf("ended: %+v, want %+v", got, end)
	}
	wantKind(t, "finish of an unknown run", s.Runs().Finish(t.Context(), runID(99), end), fault.NotFound)
}

func testCancel(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	r := enqueue(t, s, 1, "dev")
	ok(t, s.Runs().RequestCancel(t.Context(), r.ID, actor()))
	ok(t, s.Runs().RequestCancel(t.Context(), r.ID, delivery.Actor{Name: "ben"}))
	same(t, "who asked", must(s.Runs().Get(t.Context(), r.ID)).CancelledBy, actor())
	wantKind(t, "cancel of an unknown run", s.Runs().RequestCancel(t.Context(), runID(99), delivery.Actor{Name: "ana"}), fault.NotFound)
	ended := enqueue(t, s, 2, "dev")
	ok(t, s.Runs().Finish(t.Context(), ended.ID, record.RunResult{Outcome: delivery.OutcomeDeployed, At: at(1)}))
	ok(t, s.Runs().RequestCancel(t.Context(), ended.ID, delivery.Actor{Name: "ana"}))
	same(t, "cancel of an ended run", must(s.Runs().Get(t.Context(), ended.ID)).CancelledBy, delivery.Actor{})
}

func testNewerPlan(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	r := newRun(1, "dev")
	r.Plan.Version = plan.Version + 1
	_, err := s.Runs().Enqueue(t.Context(), r)
	wantKind(t, "enqueue", err, fault.Conflict)
	old := newRun(2, "dev")
	old.Plan.Version = plan.Version
	old.Plan.Steps = []step.Spec{{Name: "build", Kind: step.Build, Params: json.RawMessage(`{"go":"./cmd/api"}`), Action: step.ActionRun, Reason: "it changed"}}
	_, err = s.Runs().Enqueue(t.Context(), old)
	ok(t, err)
	same(t, "plan", must(s.Runs().Get(t.Context(), old.ID)).Plan, old.Plan)
}

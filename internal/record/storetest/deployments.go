package storetest

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

func newRelease(replicas int) delivery.Release {
	return delivery.Release{
		Schema: 1, Service: "retail", Commit: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40),
		Image:    delivery.Image{Repository: "retail", Digest: digest("1")},
		Model:    &delivery.ModelRef{Group: "retail", Version: 1, Digest: digest("2")},
		Workload: delivery.Workload{Replicas: replicas, Health: "/health", Env: map[string]string{"A": "<b>"}},
	}
}

func testReleases(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	want := newRelease(1)
	first := must(s.Save(t.Context(), runID(1), want))
	_, d, id, err := record.Canonical(want)
	ok(t, err)
	if first.ID != id || first.Digest != d || first.Run != runID(1) || first.CreatedAt.IsZero() || first.Quarantined != nil {
		t.Errorf("saved: %+v, want %s %s", first, id, d)
	}
	_, back, _, err := record.Canonical(first.Release)
	ok(t, err)
	same(t, "content", back, d)
	again := must(s.Save(t.Context(), runID(2), want))
	same(t, "saved again", again.Run, runID(1))
	same(t, "found", must(s.Release(t.Context(), id)).Digest, d)
	second := must(s.Save(t.Context(), runID(2), newRelease(2)))
	list := must(s.Releases(t.Context(), 0))
	if len(list) != 2 || list[0].ID != second.ID || list[1].ID != first.ID {
		t.Errorf("newest first: %+v", list)
	}
	same(t, "limit", len(must(s.Releases(t.Context(), 1))), 1)
	_, err = s.Release(t.Context(), "r-000000000000")
	wantKind(t, "unknown release", err, fault.NotFound)
}

func testQuarantine(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	id := must(s.Save(t.Context(), runID(1), newRelease(1))).ID
	wantKind(t, "let go what is free", s.Unquarantine(t.Context(), id, "ana", "why not"), fault.Conflict)
	q := delivery.Quarantine{Release: id, Environment: "prod", Reason: "errors", Since: at(1), Run: runID(1)}
	ok(t, s.Quarantine(t.Context(), q))
	later := q
	later.Reason, later.Since = "more errors", at(2)
	ok(t, s.Quarantine(t.Context(), later))
	got := must(s.Release(t.Context(), id)).Quarantined
	if got == nil || *got != q {
		t.Errorf("quarantined: %+v, want %+v", got, q)
	}
	if list := must(s.Releases(t.Context(), 0)); list[0].Quarantined == nil {
		t.Error("the list does not tell of the quarantine")
	}
	ok(t, s.Unquarantine(t.Context(), id, "ana", "fixed outside"))
	if must(s.Release(t.Context(), id)).Quarantined != nil {
		t.Error("it is still quarantined")
	}
	wantKind(t, "let go twice", s.Unquarantine(t.Context(), id, "ana", ""), fault.Conflict)
	ok(t, s.Quarantine(t.Context(), later))
	if got := must(s.Release(t.Context(), id)).Quarantined; got == nil || *got != later {
		t.Errorf("quarantined anew: %+v, want %+v", got, later)
	}
	unknown := q
	unknown.Release = "r-000000000000"
	wantKind(t, "quarantine the unknown", s.Quarantine(t.Context(), unknown), fault.NotFound)
	wantKind(t, "let the unknown go", s.Unquarantine(t.Context(), "r-000000000000", "ana", ""), fault.NotFound)
}

func begin(t *testing.T, s record.Store, n int, env delivery.Environment) delivery.Deployment {
	t.Helper()
	release := must(s.Save(t.Context(), runID(n), newRelease(n))).ID
	d, err := s.Begin(t.Context(), delivery.Deployment{
		Environment: env, Release: release, Run: runID(n), By: "ana", Reason: "push", StartedAt: at(n % 60),
	})
	ok(t, err)
	return d
}

func testDeployments(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	if _, found, err := s.Current(t.Context(), "prod"); found || err != nil {
		t.Errorf("nothing serves: %v, %v", found, err)
	}
	a := begin(t, s, 1, "prod")
	if a.ID == 0 || a.State != delivery.Deploying || a.Replaced != "" || a.By != "ana" || !a.StartedAt.Equal(at(1)) {
		t.Errorf("begun: %+v", a)
	}
	same(t, "begun again", begin(t, s, 1, "prod"), a)
	if _, found, _ := s.Current(t.Context(), "prod"); found {
		t.Error("one that was not accepted serves")
	}
	ok(t, s.Accept(t.Context(), a.ID, at(2)))
	ok(t, s.Accept(t.Context(), a.ID, at(3)))
	serving, found, err := s.Current(t.Context(), "prod")
	ok(t, err)
	if !found || serving.ID != a.ID || serving.State != delivery.Serving || !serving.ServingAt.Equal(at(2)) {
		t.Errorf("serving: %+v", serving)
	}
	b := begin(t, s, 2, "prod")
	same(t, "what it replaces", b.Replaced, a.Release)
	ok(t, s.Accept(t.Context(), b.ID, at(5)))
	ok(t, s.Accept(t.Context(), a.ID, at(6))) // a step that ran again after kill -9
	history := must(s.History(t.Context(), "prod", 0))
	if len(history) != 2 || history[0].ID != b.ID || history[0].State != delivery.Serving ||
		history[1].State != delivery.Replaced || !history[1].EndedAt.Equal(at(5)) {
		t.Errorf("history: %+v", history)
	}
	same(t, "limit", len(must(s.History(t.Context(), "prod", 1))), 1)
	wantKind(t, "accept the unknown", s.Accept(t.Context(), 999, at(1)), fault.NotFound)
}

func testDeploymentEnds(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	ends := []delivery.DeploymentState{delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Removed}
	for i, state := range ends {
		d := begin(t, s, i+1, "prod")
		if i%2 == 0 {
			ok(t, s.Accept(t.Context(), d.ID, at(1)))
		}
		ok(t, s.End(t.Context(), d.ID, state, "first", at(2)))
		ok(t, s.End(t.Context(), d.ID, delivery.Removed, "second", at(3)))
		got := must(s.History(t.Context(), "prod", 1))[0]
		if got.State != state || got.Reason != "first" || !got.EndedAt.Equal(at(2)) {
			t.Errorf("ended %s: %+v", state, got)
		}
		wantKind(t, "accept what has ended", s.Accept(t.Context(), d.ID, at(4)), fault.Conflict)
		if _, found, _ := s.Current(t.Context(), "prod"); found {
			t.Errorf("one that is %s serves", state)
		}
	}
	d := begin(t, s, 9, "prod")
	for _, state := range []delivery.DeploymentState{delivery.Serving, delivery.Replaced, delivery.Deploying, "gone"} {
		wantKind(t, "end as "+string(state), s.End(t.Context(), d.ID, state, "", at(1)), fault.Invalid)
	}
	wantKind(t, "end the unknown", s.End(t.Context(), 999, delivery.Removed, "", at(1)), fault.NotFound)
}

func testEnvironments(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	prod, dev := begin(t, s, 1, "prod"), begin(t, s, 2, "dev")
	ok(t, s.Accept(t.Context(), prod.ID, at(1)))
	ok(t, s.Accept(t.Context(), dev.ID, at(2)))
	for env, want := range map[delivery.Environment]int64{"prod": prod.ID, "dev": dev.ID} {
		got, found, err := s.Current(t.Context(), env)
		ok(t, err)
		if !found || got.ID != want {
			t.Errorf("%s: %+v, want deployment %d", env, got, want)
		}
	}
	same(t, "all environments", len(must(s.History(t.Context(), "", 0))), 2)
	same(t, "one", len(must(s.History(t.Context(), "dev", 0))), 1)
}

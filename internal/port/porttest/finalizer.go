package porttest

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestFinalizer tests a target against the contract of port.Finalizer.
func TestFinalizer(t *testing.T, make func(t *testing.T) TargetFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, TargetFixture)
	}{
		{"stops what was kept", testFinalizeStopsKept},
		{"not yet: a rollback is instant", testRollbackToKept},
		{"first release", testFinalizeFirst},
		{"release without traffic", testFinalizeOther},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func finalize(t *testing.T, f TargetFixture, o port.DeployRequest) {
	t.Helper()
	s, ok := f.Target.(port.Finalizer)
	if !ok {
		t.Fatalf("%T does not implement port.Finalizer", f.Target)
	}
	if err := s.Finalize(context.Background(), o, func(string) {}); err != nil {
		t.Fatalf("finalize %s: %v", o.ID, err)
	}
}

// replicas returns the number of the release's replicas that are ready.
func replicas(t *testing.T, f TargetFixture, o port.DeployRequest) int {
	t.Helper()
	n := 0
	for _, r := range observe(t, f, o).Replicas {
		if r.Release == o.ID && r.State == port.ReplicaReady {
			n++
		}
	}
	return n
}

func testFinalizeStopsKept(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f, a)
	finalize(t, f, a)
	want := replicas(t, f, a)
	url := deploy(t, f, b).Address()
	if n := replicas(t, f, a); f.KeepsPrevious && n != want {
		t.Errorf("%d replicas of the release before are kept, want %d", n, want)
	}
	for range 2 {
		finalize(t, f, b)
		wantEnded(t, f, a)
		if n := replicas(t, f, b); n != want {
			t.Errorf("%d replicas serve, want %d", n, want)
		}
		f.want(t, url, b.ID)
	}
}

func testRollbackToKept(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f, a)
	finalize(t, f, a)
	before := names(observe(t, f, a), a)
	deploy(t, f, b)
	url := deploy(t, f, a).Address()
	f.want(t, url, a.ID)
	after := names(observe(t, f, a), a)
	for name := range before {
		if f.KeepsPrevious && !after[name] {
			t.Errorf("replicas after the rollback = %v, want the kept %s among them", slices.Sorted(maps.Keys(after)), name)
		}
	}
	finalize(t, f, a)
	wantEnded(t, f, b)
	f.want(t, url, a.ID)
}

// names returns the names of the release's replicas.
func names(obs port.Observation, o port.DeployRequest) map[string]bool {
	out := map[string]bool{}
	for _, r := range obs.Replicas {
		if r.Release == o.ID {
			out[r.Name] = true
		}
	}
	return out
}

func testFinalizeFirst(t *testing.T, f TargetFixture) {
	a := f.Request(Sample{Version: "a"})
	url := deploy(t, f, a).Address()
	before := names(observe(t, f, a), a)
	for range 2 {
		finalize(t, f, a)
	}
	f.want(t, url, a.ID)
	if after := names(observe(t, f, a), a); len(after) != len(before) {
		t.Errorf("replicas %v became %v", before, after)
	}
}

func testFinalizeOther(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	finalize(t, f, a)
	finalize(t, f, b) // nothing of it was kept, and what serves stays
	if n := replicas(t, f, a); n == 0 {
		t.Error("finalizing a release without traffic stopped the one that serves")
	}
	f.want(t, url, a.ID)
}

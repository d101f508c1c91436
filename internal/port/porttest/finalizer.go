package porttest

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestFinalizer proves what port.Finalizer promises of a target that is one.
func TestFinalizer(t *testing.T, make func(t *testing.T) TargetFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, TargetFixture)
	}{
		{"what was kept goes", keptGoes},
		{"going back before is instant", goingBack},
		{"the first release", settleFirst},
		{"what does not serve", settleOther},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func settle(t *testing.T, f TargetFixture, o port.DeployRequest) {
	t.Helper()
	s, ok := f.Target.(port.Finalizer)
	if !ok {
		t.Fatalf("%T is no port.Settler", f.Target)
	}
	if err := s.Finalize(context.Background(), o, func(string) {}); err != nil {
		t.Fatalf("settle %s: %v", o.ID, err)
	}
}

// replicas counts the release's that can take requests.
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

func keptGoes(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f, a)
	settle(t, f, a)
	want := replicas(t, f, a)
	url := deploy(t, f, b).Address()
	if n := replicas(t, f, a); f.KeepsPrevious && n != want {
		t.Errorf("%d replicas of the release before are kept, want %d", n, want)
	}
	for range 2 {
		settle(t, f, b)
		wantEnded(t, f, a)
		if n := replicas(t, f, b); n != want {
			t.Errorf("%d replicas serve, want %d", n, want)
		}
		f.want(t, url, b.ID)
	}
}

func goingBack(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f, a)
	settle(t, f, a)
	before := names(observe(t, f, a), a)
	deploy(t, f, b)
	url := deploy(t, f, a).Address()
	f.want(t, url, a.ID)
	after := names(observe(t, f, a), a)
	for name := range before {
		if f.KeepsPrevious && !after[name] {
			t.Errorf("%s was kept, and does not serve again: %v", name, after)
		}
	}
	settle(t, f, a)
	wantEnded(t, f, b)
	f.want(t, url, a.ID)
}

// names are those of the release's replicas.
func names(seen port.Observation, o port.DeployRequest) map[string]bool {
	out := map[string]bool{}
	for _, r := range seen.Replicas {
		if r.Release == o.ID {
			out[r.Name] = true
		}
	}
	return out
}

func settleFirst(t *testing.T, f TargetFixture) {
	a := f.Request(Sample{Version: "a"})
	url := deploy(t, f, a).Address()
	before := names(observe(t, f, a), a)
	for range 2 {
		settle(t, f, a)
	}
	f.want(t, url, a.ID)
	if after := names(observe(t, f, a), a); len(after) != len(before) {
		t.Errorf("replicas %v became %v", before, after)
	}
}

func settleOther(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	settle(t, f, a)
	settle(t, f, b) // nothing of it was kept, and what serves stays
	if n := replicas(t, f, a); n == 0 {
		t.Error("settling what does not serve stopped what serves")
	}
	f.want(t, url, a.ID)
}

package porttest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func firstRelease(t *testing.T, f TargetFixture) {
	o := f.Request(Sample{Version: "a"})
	wantAnswer(t, stage(t, f, o), o.ID)
	if seen := observe(t, f, o); seen.Release != "" {
		t.Errorf("staged only, but %s takes the traffic", seen.Release)
	}
	seen := deploy(t, f, o)
	wantAnswer(t, seen.Address(), o.ID)
	if seen.Release != o.ID {
		t.Errorf("release = %q, want %s", seen.Release, o.ID)
	}
	if want := max(1, o.Release.Workload.Replicas); len(seen.Replicas) != want {
		t.Errorf("replicas = %+v, want %d", seen.Replicas, want)
	}
	for _, r := range seen.Replicas {
		if r.State != port.ReplicaReady || r.Release != o.ID || r.Restarts != 0 {
			t.Errorf("replica %+v, want it ready", r)
		}
	}
}

func stagedGetsNoTraffic(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	seen := deploy(t, f, a)
	candidate := stage(t, f, b)
	for range 20 {
		wantAnswer(t, seen.Address(), a.ID)
		wantAnswer(t, candidate, b.ID)
	}
	if url := deploy(t, f, b).Address(); url != seen.Address() {
		t.Errorf("the address moved from %s to %s", seen.Address(), url)
	}
	if !f.StopsSlowly && !f.KeepsPrevious {
		wantAnswer(t, seen.Address(), b.ID)
		return
	}
	// New connections reach the new release at once; what has one keeps it for as
	// long as the release before is there.
	for range 20 {
		f.want(t, seen.Address(), b.ID)
	}
	if f.KeepsPrevious {
		finalize(t, f, b)
	}
	eventually(t, func() (bool, error) {
		got, err := answering(seen.Address())
		if err == nil && got != b.ID {
			err = fmt.Errorf("%s is still answered by %s", seen.Address(), got)
		}
		return true, err
	})
}

func againIsFine(t *testing.T, f TargetFixture) {
	o := f.Request(Sample{Version: "a"})
	if first, second := stage(t, f, o), stage(t, f, o); first != second {
		t.Errorf("staged twice: %s, then %s", first, second)
	}
	seen := deploy(t, f, o)
	again, err := f.Target.Promote(context.Background(), o, func(string) {})
	if err != nil || again.Release != o.ID || again.Address() != seen.Address() {
		t.Errorf("promoted again: %+v, %v; want %+v", again, err, seen)
	}
	wantAnswer(t, stage(t, f, o), o.ID)
	for _, r := range observe(t, f, o).Replicas {
		if r.Restarts != 0 {
			t.Errorf("%s was restarted by asking again", r.Name)
		}
	}
}

func crashAtStart(t *testing.T, f TargetFixture) {
	a, bad := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "bad", Mode: "crash"})
	url := deploy(t, f, a).Address()
	_, err := f.Target.Stage(context.Background(), bad, func(string) {})
	if err == nil {
		t.Fatal("a release that crashes was staged")
	}
	for _, want := range []string{"3", "no model to load"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q: the exit code and the last lines of the log", err, want)
		}
	}
	if !fault.Is(err, fault.Failed) {
		t.Errorf("kind = %s, want %s", fault.KindOf(err), fault.Failed)
	}
	wantAnswer(t, url, a.ID)
	if f.StopsSlowly {
		if err := f.Target.Discard(context.Background(), bad); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, f, bad)
		wantAnswer(t, url, a.ID)
	}
	for _, r := range observe(t, f, a).Replicas {
		if r.Release == bad.ID {
			t.Errorf("%s is still there", r.Name)
		}
	}
}

func neverReady(t *testing.T, f TargetFixture) {
	bad := f.Request(Sample{Version: "bad", Mode: "unready"})
	if _, err := f.Target.Stage(context.Background(), bad, func(string) {}); !fault.Is(err, fault.Failed) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Failed)
	}
}

func promoteUnstaged(t *testing.T, f TargetFixture) {
	a := f.Request(Sample{Version: "a"})
	if _, err := f.Target.Promote(context.Background(), a, func(string) {}); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Conflict)
	}
	if seen := observe(t, f, a); seen.Release != "" {
		t.Errorf("%s serves", seen.Release)
	}
}

func restage(t *testing.T, f TargetFixture) {
	a, b, c := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"}), f.Request(Sample{Version: "c"})
	url := deploy(t, f, a).Address()
	stage(t, f, b)
	wantAnswer(t, stage(t, f, c), c.ID)
	wantEnded(t, f, b)
	wantAnswer(t, url, a.ID)
}

package porttest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// LogAnchorFixture is a place where no environment has an anchor.
type LogAnchorFixture struct {
	// Open is another Slipway at the same place.
	Open func(t *testing.T) port.LogAnchor
	// Damage makes the anchor of prod unreadable.
	Damage func(t *testing.T)
	// Remove takes the service in prod down, as port.Target.Remove does; nil: the
	// fixture is only an anchor.
	Remove func(t *testing.T)
}

// TestLogAnchor proves what port.LogAnchor promises. make is called for each test.
func TestLogAnchor(t *testing.T, make func(t *testing.T) LogAnchorFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, LogAnchorFixture)
	}{
		{"nothing", noAnchor},
		{"round trip", anchorRoundTrip},
		{"another mark was set before", anchorChanged},
		{"at once", anchorsAtOnce},
		{"environments apart", anchorsApart},
		{"written by a newer program", newerAnchor},
		{"damaged", damagedAnchor},
		{"after removal", anchorAfterRemoval},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func mark(log string, n int64) port.LogMark {
	return port.LogMark{Log: log, Entry: n, Digest: delivery.DigestOf([]byte(fmt.Sprint(log, n)))}
}

func wantAnchor(t *testing.T, a port.LogAnchor, env delivery.Environment, want port.Anchor) {
	t.Helper()
	got, err := a.Anchor(context.Background(), "sample", env)
	if err != nil {
		t.Fatalf("Anchor: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("anchor of %s (-want +got):\n%s", env, diff)
	}
}

func setAnchor(t *testing.T, a port.LogAnchor, env delivery.Environment, before port.LogMark, to port.Anchor) {
	t.Helper()
	if err := a.SetAnchor(context.Background(), "sample", env, before, to); err != nil {
		t.Fatalf("SetAnchor: %v", err)
	}
}

func noAnchor(t *testing.T, f LogAnchorFixture) { wantAnchor(t, f.Open(t), "prod", port.Anchor{}) }

func anchorRoundTrip(t *testing.T, f LogAnchorFixture) {
	a := f.Open(t)
	first := port.Anchor{Mark: mark("A", 7)}
	setAnchor(t, a, "prod", port.LogMark{}, first)
	wantAnchor(t, a, "prod", first)
	wantAnchor(t, f.Open(t), "prod", first)
	moved := port.Anchor{Mark: mark("B", 3), Adopted: &port.Adoption{
		From: first.Mark, By: delivery.Actor{Name: "ann", Means: delivery.MeansOS}, Why: `the bucket is "gone"`, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
	}}
	setAnchor(t, f.Open(t), "prod", first.Mark, moved)
	wantAnchor(t, a, "prod", moved)
	setAnchor(t, a, "prod", moved.Mark, moved) // nothing changes
	left := port.Anchor{Adopted: moved.Adopted}
	setAnchor(t, a, "prod", moved.Mark, left)
	wantAnchor(t, f.Open(t), "prod", left)
	setAnchor(t, a, "prod", port.LogMark{}, first) // it belongs to no log, so the next one takes it
	wantAnchor(t, a, "prod", first)
}

func anchorChanged(t *testing.T, f LogAnchorFixture) {
	a := f.Open(t)
	first := port.Anchor{Mark: mark("A", 7)}
	conflicts := func(why string, before, to port.LogMark) {
		t.Helper()
		if err := a.SetAnchor(context.Background(), "sample", "prod", before, port.Anchor{Mark: to}); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: error = %v, want %s", why, err, fault.Conflict)
		}
	}
	conflicts("no anchor, but a mark before", mark("A", 6), mark("A", 7))
	wantAnchor(t, a, "prod", port.Anchor{})
	setAnchor(t, a, "prod", port.LogMark{}, first)
	conflicts("no mark before, but an anchor", port.LogMark{}, mark("B", 1))
	conflicts("another entry", mark("A", 6), mark("A", 8))
	conflicts("another log", mark("B", 7), mark("B", 8))
	conflicts("another digest", port.LogMark{Log: "A", Entry: 7, Digest: mark("B", 7).Digest}, mark("A", 8))
	wantAnchor(t, a, "prod", first)
}

func anchorsAtOnce(t *testing.T, f LogAnchorFixture) {
	before := port.LogMark{}
	for round := range 3 {
		var group sync.WaitGroup
		var won atomic.Int32
		for n := range 4 {
			a := f.Open(t)
			group.Go(func() {
				err := a.SetAnchor(context.Background(), "sample", "prod", before, port.Anchor{Mark: mark(fmt.Sprint("log ", round), int64(n))})
				switch {
				case err == nil:
					won.Add(1)
				case !fault.Is(err, fault.Conflict):
					t.Errorf("error = %v, want %s", err, fault.Conflict)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d calls succeeded, want 1", round, won.Load())
		}
		now, err := f.Open(t).Anchor(context.Background(), "sample", "prod")
		if err != nil {
			t.Fatal(err)
		}
		before = now.Mark
	}
}

func anchorsApart(t *testing.T, f LogAnchorFixture) {
	a := f.Open(t)
	setAnchor(t, a, "prod", port.LogMark{}, port.Anchor{Mark: mark("A", 1)})
	setAnchor(t, a, "staging", port.LogMark{}, port.Anchor{Mark: mark("B", 2)})
	wantAnchor(t, a, "prod", port.Anchor{Mark: mark("A", 1)})
	wantAnchor(t, a, "staging", port.Anchor{Mark: mark("B", 2)})
	if got, err := a.Anchor(context.Background(), "other", "prod"); err != nil || got.Mark != (port.LogMark{}) {
		t.Errorf("anchor of another service = %v, %v, want none", got.Mark, err)
	}
}

func newerAnchor(t *testing.T, f LogAnchorFixture) {
	a := f.Open(t)
	newer := port.Anchor{Mark: mark("A", 1), Unknown: `"newer":{"x":1}`}
	setAnchor(t, a, "prod", port.LogMark{}, newer)
	wantAnchor(t, f.Open(t), "prod", newer)
}

// damagedAnchor: an environment whose anchor can't be read does not count as one
// without.
func damagedAnchor(t *testing.T, f LogAnchorFixture) {
	a := f.Open(t)
	setAnchor(t, a, "prod", port.LogMark{}, port.Anchor{Mark: mark("A", 1)})
	f.Damage(t)
	if got, err := f.Open(t).Anchor(context.Background(), "sample", "prod"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("Anchor = %v, %v, want %s", got, err, fault.Corrupt)
	}
	if err := f.Open(t).SetAnchor(context.Background(), "sample", "prod", port.LogMark{}, port.Anchor{Mark: mark("B", 1)}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("SetAnchor: %v, want %s", err, fault.Corrupt)
	}
}

func anchorAfterRemoval(t *testing.T, f LogAnchorFixture) {
	if f.Remove == nil {
		t.Skip("only an anchor")
	}
	want := port.Anchor{Mark: mark("A", 1)}
	setAnchor(t, f.Open(t), "prod", port.LogMark{}, want)
	f.Remove(t)
	wantAnchor(t, f.Open(t), "prod", want)
}

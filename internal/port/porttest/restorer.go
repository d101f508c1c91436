package porttest

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// RestorerFixture is a target that loses its processes when its machine restarts.
type RestorerFixture struct {
	TargetFixture
	// Stop ends everything that runs, as the restart of the machine would.
	Stop func(t *testing.T)
}

// TestRestorer holds a target to port.Restorer. make is called for each test.
func TestRestorer(t *testing.T, make func(t *testing.T) RestorerFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, RestorerFixture)
	}{
		{"the current release comes back", restoresCurrent},
		{"a running release is left alone", restoresNothingTwice},
		{"nothing to restore", restoresNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func restore(t *testing.T, f RestorerFixture) {
	t.Helper()
	r, ok := f.Target.(port.Restorer)
	if !ok {
		t.Fatalf("%T is not a port.Restorer", f.Target)
	}
	if err := r.Restore(context.Background()); err != nil {
		t.Fatalf("restore: %v", err)
	}
}

func restoresCurrent(t *testing.T, f RestorerFixture) {
	a := f.Request(Sample{Version: "a"})
	url := deploy(t, f.TargetFixture, a).URL
	f.Stop(t)
	if id, err := answering(url); err == nil {
		t.Errorf("%s still responds after it was stopped", id)
	}
	restore(t, f)
	seen := observe(t, f.TargetFixture, a)
	if seen.Release != a.ID || seen.URL != url {
		t.Errorf("%q is current at %s, want %s at %s", seen.Release, seen.URL, a.ID, url)
	}
	wantAnswer(t, seen.Address(), a.ID)
}

func restoresNothingTwice(t *testing.T, f RestorerFixture) {
	a := f.Request(Sample{Version: "a"})
	before := deploy(t, f.TargetFixture, a)
	for range 2 {
		restore(t, f)
	}
	after := observe(t, f.TargetFixture, a)
	wantEqual(t, "replicas", names(after, a), names(before, a))
	wantAnswer(t, after.Address(), a.ID)
}

func restoresNothing(t *testing.T, f RestorerFixture) {
	restore(t, f)
	if seen := observe(t, f.TargetFixture, f.Request(Sample{Version: "a"})); seen.Release != "" {
		t.Errorf("%q is current, and was never deployed", seen.Release)
	}
}

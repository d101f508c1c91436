package porttest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestUnusedLister holds a target to port.UnusedLister. make is called for each
// test; each sample of its fixture is another image.
func TestUnusedLister(t *testing.T, make func(t *testing.T) TargetFixture) {
	t.Run("lists what can be fetched again", func(t *testing.T) { unusedGoes(t, make(t)) })
	t.Run("spares what is new", func(t *testing.T) { unusedIsOld(t, make(t)) })
	t.Run("nothing was deployed", func(t *testing.T) {
		if paths := listUnused(t, make(t), time.Now().Add(time.Hour)); len(paths) > 0 {
			t.Errorf("unused: %q, and nothing was deployed", paths)
		}
	})
}

func listUnused(t *testing.T, f TargetFixture, before time.Time) []string {
	t.Helper()
	l, ok := f.Target.(port.UnusedLister)
	if !ok {
		t.Fatalf("%T is not a port.UnusedLister", f.Target)
	}
	paths, err := l.ListUnused(context.Background(), before)
	if err != nil {
		t.Fatalf("list what is unused: %v", err)
	}
	return paths
}

func unusedGoes(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f, a)
	if paths := listUnused(t, f, time.Now().Add(time.Hour)); len(paths) > 0 {
		t.Errorf("unused: %q, and the only release is current", paths)
	}
	deploy(t, f, b)
	paths := listUnused(t, f, time.Now().Add(time.Hour))
	if len(paths) == 0 {
		t.Error("what the replaced release used is not listed")
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("it lists what does not exist: %v", err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	wantAnswer(t, observe(t, f, b).Address(), b.ID)
	wantAnswer(t, deploy(t, f, a).Address(), a.ID) // fetched again
}

func unusedIsOld(t *testing.T, f TargetFixture) {
	deploy(t, f, f.Request(Sample{Version: "a"}))
	deploy(t, f, f.Request(Sample{Version: "b"}))
	if paths := listUnused(t, f, time.Now().Add(-time.Hour)); len(paths) > 0 {
		t.Errorf("unused for an hour: %q, and all of it is new", paths)
	}
}

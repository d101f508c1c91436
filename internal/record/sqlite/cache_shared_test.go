package sqlite_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestView_CacheUse: a use is shared once a week, so that what machines use is not pruned,
// and looking up costs no entries.
func TestView_CacheUse(t *testing.T) {
	objects, now := &fake.ObjectStore{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	machine := func() *sqlite.Store {
		t.Helper()
		log, err := statelog.Open(t.Context(), objects, now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.OpenView(t.Context(), t.TempDir(), "retail", func() time.Time { return now }, log, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	entries := func() int {
		t.Helper()
		found, err := objects.List(t.Context(), statelog.EntryPrefix, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	key := fake.Digest(1)
	if err := machine().Cache().Put(t.Context(), key, "20260101-000000-aaaa", step.Result{Outcome: delivery.OutcomeSucceeded}); err != nil {
		t.Fatal(err)
	}
	before := entries()
	for _, c := range []struct {
		after time.Duration
		added int
	}{{time.Hour, 0}, {6 * 24 * time.Hour, 0}, {24 * time.Hour, 1}, {time.Hour, 0}} {
		now = now.Add(c.after)
		for range 2 { // two machines with empty disks
			if _, ok, err := machine().Cache().Lookup(t.Context(), key); !ok || err != nil {
				t.Fatalf("look up: %v, error = %v", ok, err)
			}
		}
		if added := entries() - before; added != c.added {
			t.Errorf("after %s: %d entries were added by looking up, want %d", c.after, added, c.added)
		}
		before = entries()
	}
	if n, err := machine().Cache().CountUnused(t.Context(), now.Add(-7*24*time.Hour)); n != 0 || err != nil {
		t.Errorf("unused for a week: %d (error = %v), want none", n, err)
	}
	if _, ok, err := machine().Cache().Lookup(t.Context(), fake.Digest(2)); ok || err != nil {
		t.Errorf("look up nothing: %v, error = %v", ok, err)
	}
}

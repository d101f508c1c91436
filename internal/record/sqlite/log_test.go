package sqlite_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

// TestStore_Log: what one machine saw last is in the log for every other one, until the
// log is rolled back or replaced.
func TestStore_Log(t *testing.T) {
	objects := &fake.ObjectStore{}
	a, b := openMachine(t, objects), openMachine(t, objects)
	newest := func(s *sqlite.Store) port.LogMark {
		t.Helper()
		m, err := s.Log().Newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	contains := func(s *sqlite.Store, m port.LogMark, want bool) {
		t.Helper()
		if got, err := s.Log().Contains(t.Context(), m); err != nil || got != want {
			t.Errorf("Contains(%v) = %v, %v, want %v", m, got, err, want)
		}
	}
	empty := newest(a)
	if empty.Log == "" || empty.Entry != 0 {
		t.Errorf("newest entry of an empty log = %v, want an ID, and no entry", empty)
	}
	contains(b, empty, true)
	if err := a.Releases().Quarantine(t.Context(), delivery.Quarantine{Image: fake.Digest(1), Reason: "slow"}); err != nil {
		t.Fatal(err)
	}
	first := newest(b)
	if first.Entry != 1 || !first.Digest.Valid() || first != newest(a) {
		t.Errorf("newest entry = %v on one machine and %v on the other, want entry 1 on both", newest(a), first)
	}
	contains(a, first, true)
	contains(a, port.LogMark{Log: "other", Entry: 1, Digest: first.Digest}, false)
	contains(a, port.LogMark{Log: first.Log, Entry: 1, Digest: fake.Digest(1)}, false)
	contains(a, port.LogMark{Log: first.Log, Entry: 2, Digest: first.Digest}, false)
	if err := objects.Put(t.Context(), "log/000000000001.json", bytes.NewReader([]byte("{}"))); err != nil {
		t.Fatal(err)
	}
	contains(a, first, false) // forged
	if err := objects.Delete(t.Context(), "log/000000000001.json"); err != nil {
		t.Fatal(err)
	}
	contains(a, first, false) // rolled back
}

func TestStore_Log_OfOneMachine(t *testing.T) {
	if got := open(t, filepath.Join(t.TempDir(), "slipway.db")).Log(); got != nil {
		t.Errorf("Log = %v, want nil", got)
	}
}

package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

// A copy is a file of records of its own.
func TestStore_Copy(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "slipway.db"), "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	register := func(s *sqlite.Store) {
		t.Helper()
		if _, err := s.Models().Register(t.Context(), "prices", delivery.DigestOf([]byte("model")), nil, delivery.Lineage{}); err != nil {
			t.Fatal(err)
		}
	}
	register(store)
	path := filepath.Join(dir, "copy.db")
	if err := store.Copy(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	copied, err := sqlite.Open(t.Context(), path, "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if m, err := copied.Models().Get(t.Context(), "prices", 1); err != nil || m.Version != 1 {
		t.Errorf("model of the copy = %v, %v", m, err)
	}
	if _, err := copied.Models().Register(t.Context(), "prices", delivery.DigestOf([]byte("another")), nil, delivery.Lineage{}); err != nil {
		t.Fatal(err)
	}
	if m, err := store.Models().Get(t.Context(), "prices", 2); err == nil {
		t.Errorf("the original has %v, which was registered in the copy", m)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "slipway.db")); err != nil || string(after) != string(before) {
		t.Errorf("the original changed (%v)", err)
	}
}

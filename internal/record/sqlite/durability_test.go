package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// TestPragmas: what was answered must be on the disk, whatever the driver's defaults.
func TestPragmas(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "a b?#%.db"), "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for pragma, want := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "15000",
	} {
		for name, db := range map[string]asker{"write": s.db.write, "read": s.db.read} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s = %q, %v; want %q", name, pragma, got, err, want)
			}
		}
	}
	if _, err := s.db.read.Exec("DELETE FROM runs"); err == nil {
		t.Error("the reading pool writes")
	}
}

// coded is an error of the driver.
type coded int

func (c coded) Error() string { return "code" }
func (c coded) Code() int     { return int(c) }

func TestTrouble(t *testing.T) {
	for code, want := range map[coded]fault.Kind{
		13: fault.Exhausted, 8: fault.Denied, 14: fault.Denied, 10: fault.Exhausted, 778: fault.Exhausted,
		11: fault.Corrupt, 26: fault.Corrupt, 5: fault.Unavailable, 517: fault.Unavailable, 1: fault.Internal,
	} {
		if got := fault.KindOf(record.DatabaseError("act", "/x.db", code)); got != want {
			t.Errorf("code %d is %s, want %s", code, got, want)
		}
	}
	if record.DatabaseError("act", "/x.db", nil) != nil {
		t.Error("no error is trouble")
	}
	known := fault.New(fault.NotFound, "no run")
	if err := record.DatabaseError("act", "/x.db", known); !errors.Is(err, known) || err.Error() != "no run" {
		t.Errorf("a fault was changed: %v", err)
	}
}

package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// TestOpen_Durable: what was acknowledged must be on the disk, whatever the driver's defaults.
func TestOpen_Durable(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "a b?#%.db"), "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pragmas := []struct{ name, want string }{
		{"synchronous", "2"}, {"journal_mode", "wal"}, {"foreign_keys", "1"}, {"busy_timeout", "15000"},
	}
	pools := []struct {
		name string
		db   asker
	}{{"write", s.db.write}, {"read", s.db.readers}}
	for _, pool := range pools {
		for _, p := range pragmas {
			t.Run(pool.name+" "+p.name, func(t *testing.T) {
				var got string
				if err := first(t.Context(), pool.db, "PRAGMA "+p.name).Scan(&got); err != nil || got != p.want {
					t.Errorf("PRAGMA %s = %q, %v; want %q", p.name, got, err, p.want)
				}
			})
		}
	}
	if _, err := s.db.readers.Exec("DELETE FROM runs"); err == nil {
		t.Error("DELETE in the reading pool succeeded, want an error")
	}
}

// coded is an error of the driver.
type coded int

func (c coded) Error() string { return "code" }
func (c coded) Code() int     { return int(c) }

func TestDatabaseError(t *testing.T) {
	cases := []struct {
		name string
		code coded
		want fault.Kind
	}{
		{"full", 13, fault.Exhausted}, {"read only", 8, fault.Denied}, {"cannot open", 14, fault.Denied},
		{"input or output", 10, fault.Exhausted}, {"write", 778, fault.Exhausted},
		{"corrupt", 11, fault.Corrupt}, {"not a database", 26, fault.Corrupt},
		{"busy", 5, fault.Unavailable}, {"busy snapshot", 517, fault.Unavailable}, {"other", 1, fault.Internal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := fault.KindOf(record.DatabaseError("act", "/x.db", c.code)); got != c.want {
				t.Errorf("DatabaseError of code %d is of kind %s, want %s", c.code, got, c.want)
			}
		})
	}
	if record.DatabaseError("act", "/x.db", nil) != nil {
		t.Error("DatabaseError(nil) is an error, want nil")
	}
	known := fault.New(fault.NotFound, "no run")
	if err := record.DatabaseError("act", "/x.db", known); !errors.Is(err, known) || err.Error() != "no run" {
		t.Errorf("DatabaseError of a fault = %v, want the fault unchanged", err)
	}
}

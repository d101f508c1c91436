package engine

import (
	"path/filepath"
	"testing"
	"time"
)

// TestOpenDatabase_Durable: a checkpoint that was acknowledged is on the disk.
func TestOpenDatabase_Durable(t *testing.T) {
	db, err := openDatabase(filepath.Join(t.TempDir(), "a b?#%", "engine.db"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pragmas := []struct{ name, want string }{{"synchronous", "2"}, {"journal_mode", "wal"}, {"foreign_keys", "1"}}
	for _, p := range pragmas {
		t.Run(p.name, func(t *testing.T) {
			var got string
			if err := db.QueryRow("PRAGMA " + p.name).Scan(&got); err != nil || got != p.want {
				t.Errorf("PRAGMA %s = %q, %v; want %q", p.name, got, err, p.want)
			}
		})
	}
	if n := db.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("MaxOpenConnections = %d, want 1: several wait for each other by polling", n)
	}
}

func TestFormatDuration(t *testing.T) {
	cases := []struct {
		duration time.Duration
		want     string
	}{
		{10 * time.Millisecond, "10ms"}, {30 * time.Second, "30s"}, {90 * time.Second, "1m30s"},
		{5 * time.Minute, "5m"}, {10 * time.Minute, "10m"}, {time.Hour, "1h"}, {20 * time.Hour, "20h"},
	}
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			if got := formatDuration(c.duration); got != c.want {
				t.Errorf("formatDuration(%s) = %s, want %s", c.duration, got, c.want)
			}
		})
	}
}

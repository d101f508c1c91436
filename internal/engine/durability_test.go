package engine

import (
	"path/filepath"
	"testing"
	"time"
)

// TestJournalIsDurable: a checkpoint that was answered is on the disk.
func TestJournalIsDurable(t *testing.T) {
	db, err := openDatabase(filepath.Join(t.TempDir(), "a b?#%", "engine.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
	if n := db.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections: they wait for each other by polling", n)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Millisecond: "10ms", 30 * time.Second: "30s",
		20 * time.Hour: "20h", 10 * time.Minute: "10m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("short(%s) = %s, want %s", d, got, want)
		}
	}
}

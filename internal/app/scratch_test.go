package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder that a killed process left is removed by the next; one in use stays.
func TestScratch_RemovesAbandoned(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	used, err := newScratch(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	killed, err := newScratch(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed.dir, "object"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Close(); err != nil {
		t.Fatal(err)
	}
	exists := func(s *scratch) bool { _, err := os.Stat(s.dir); return err == nil }
	removeAbandoned(time.Now())
	if !exists(used) || !exists(killed) {
		t.Error("a folder without a lock was removed at once: it may be about to be locked")
	}
	next, err := newScratch(time.Now().Add(2 * scratchAge))
	if err != nil {
		t.Fatal(err)
	}
	if !exists(used) || exists(killed) {
		t.Errorf("the used folder exists: %v, the abandoned one: %v", exists(used), exists(killed))
	}
	for _, s := range []*scratch{next, used} {
		if err := s.close(); err != nil || exists(s) {
			t.Errorf("close: %v, the folder still exists: %v", err, exists(s))
		}
	}
}

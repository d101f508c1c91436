package scratch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder that a killed process left is removed by the next; one in use stays, and so does
// what has another name.
func TestNew_RemovesAbandoned(t *testing.T) {
	parent := t.TempDir()
	open := func(prefix string, now time.Time) *Folder {
		t.Helper()
		f, err := New(parent, prefix, now)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	used, killed, other := open("model-", time.Now()), open("model-", time.Now()), open("else-", time.Now())
	if err := os.WriteFile(filepath.Join(killed.Files(), "object"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Folder{killed, other} {
		if err := f.lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(f *Folder) bool { _, err := os.Stat(f.dir); return err == nil }
	Sweep(filepath.Join(parent, "model-*"), time.Now())
	if !exists(used) || !exists(killed) {
		t.Error("a folder without a lock was removed at once: it may be about to be locked")
	}
	next := open("model-", time.Now().Add(2*minAge))
	if !exists(used) || exists(killed) || !exists(other) {
		t.Errorf("the used folder exists: %v, the abandoned one: %v, the other: %v", exists(used), exists(killed), exists(other))
	}
	for _, f := range []*Folder{next, used} {
		if err := f.Close(); err != nil || exists(f) {
			t.Errorf("close: %v, the folder still exists: %v", err, exists(f))
		}
	}
}

// What is moved out of a folder stays when it is closed, and has nothing of ours in it.
func TestFolder_FilesMoved(t *testing.T) {
	f, err := New(t.TempDir(), ".fetch-", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out")
	if err := os.Rename(f.Files(), to); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(to); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

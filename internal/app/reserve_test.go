package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeepReserve_Once(t *testing.T) {
	home := t.TempDir()
	if free, known := freeSpace(home); !known || free < minFreeToReserve {
		t.Skipf("%d bytes are free here (known: %v)", free, known)
	}
	keepReserve(home)
	first, err := os.Stat(filepath.Join(home, reserveName))
	if err != nil || first.Size() != reserveSize {
		t.Fatalf("reserve: %v, %v, want %d bytes", first, err, reserveSize)
	}
	keepReserve(home)
	if again, err := os.Stat(filepath.Join(home, reserveName)); err != nil || !os.SameFile(first, again) {
		t.Errorf("the reserve was made again: %v", err)
	}
	if entries, _ := os.ReadDir(home); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

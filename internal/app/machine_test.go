package app

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Processes that start at once in a new state folder agree on its identity.
func TestIdentifyMachine_OnceForAll(t *testing.T) {
	home := t.TempDir()
	found := make([]Machine, 8)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			var err error
			if found[i], err = identifyMachine(home, false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, m := range found {
		if m != found[0] || m.ID == "" || m.Here == "" {
			t.Errorf("machine %+v, want %+v everywhere", m, found[0])
		}
	}
	if entries, _ := os.ReadDir(home); len(entries) != 1 {
		t.Errorf("%d files are left, want 1: %v", len(entries), entries)
	}
}

// A copied state folder keeps the identity of its environments, but no right to the runs
// of the original's processes.
func TestIdentifyMachine_Copy(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	original, err := identifyMachine(home, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(other, "copy"), os.DirFS(home)); err != nil {
		t.Fatal(err)
	}
	moved, err := identifyMachine(filepath.Join(other, "copy"), false)
	if err != nil {
		t.Fatal(err)
	}
	if moved.ID != original.ID || moved.String() == original.String() {
		t.Errorf("the copy is %s, the original %s, want the same ID elsewhere", moved, original)
	}
}

func TestIdentifyMachine_Preview(t *testing.T) {
	home := t.TempDir()
	m, err := identifyMachine(home, true)
	if err != nil || m.ID == "" {
		t.Fatalf("machine %+v, error %v", m, err)
	}
	if entries, _ := os.ReadDir(home); len(entries) != 0 {
		t.Errorf("a preview wrote %v", entries)
	}
}

func TestIdentifyMachine_Damaged(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, machineName), []byte("../../etc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identifyMachine(home, false); !fault.Is(err, fault.Corrupt) {
		t.Errorf("error = %v, want corrupt", err)
	}
}

//go:build unix

package flock_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/flock"
)

// TestLock_Inherited: a child that got the file holds the lock after its parent
// has closed it, and until it is killed.
func TestLock_Inherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := flock.Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "sleep", "60")
	child.ExtraFiles = []*os.File{f}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	held, err := flock.Held(path)
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
	if !held || err != nil {
		t.Errorf("Held while the child lives = %v, %v", held, err)
	}
	if held, err := flock.Held(path); held || err != nil {
		t.Errorf("Held after the child = %v, %v", held, err)
	}
}

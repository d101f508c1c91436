package flock_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/slipway-cd/slipway/internal/flock"
)

func TestInherit_ChildKeepsLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows hands down no files")
	}
	path := filepath.Join(t.TempDir(), "lock")
	f := open(t, path)
	if free, err := flock.Try(f); !free || err != nil {
		t.Fatalf("Try on a free lock = %v, %v", free, err)
	}
	if files := flock.Inherited(t.Context()); len(files) != 0 {
		t.Errorf("Inherited without Inherit returned %d files", len(files))
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = flock.Inherited(flock.Inherit(t.Context(), f))
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close() // as when its holder is killed
	if held, err := flock.Held(path); !held || err != nil {
		t.Errorf("Held while the child runs = %v, %v", held, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if held, err := flock.Held(path); held || err != nil {
		t.Errorf("Held after the child ended = %v, %v", held, err)
	}
}

func TestInherited_KeepsOuterLocks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows hands down no files")
	}
	dir := t.TempDir()
	var files []*os.File
	ctx := t.Context()
	for _, name := range []string{"run", "checkout"} {
		files = append(files, open(t, filepath.Join(dir, name)))
		ctx = flock.Inherit(ctx, files[len(files)-1])
	}
	got := flock.Inherited(ctx)
	if len(got) != 2 || got[0] != files[0] || got[1] != files[1] {
		t.Errorf("Inherited = %v, want %v", got, files)
	}
}

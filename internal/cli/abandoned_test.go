package cli_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

// A run removes what killed processes left where models are packed and fetched, and leaves
// what a living one works with.
func TestRun_RemovesAbandoned(t *testing.T) {
	p := newProgram(t)
	if got := p.run("run", "--env", "prod"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	folder := func(path ...string) string {
		dir := filepath.Join(append([]string{p.dir, ".slipway"}, path...)...)
		if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	used := folder("model-2")
	lock, err := flock.TryLock(filepath.Join(used, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(used, old, old); err != nil {
		t.Fatal(err)
	}
	left := []string{folder("model-1"), folder("runs", "20261124-101502-k3f9", "work", "train", ".fetch-1")}
	if got := p.run("run", "--env", "prod"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, dir := range left {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
	if _, err := os.Stat(used); err != nil {
		t.Error(err)
	}
}

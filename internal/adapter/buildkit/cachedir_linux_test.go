package buildkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

// TestListUnused_WhileItRuns: the BuildKit that an earlier version started still runs.
func TestListUnused_WhileItRuns(t *testing.T) {
	former := t.TempDir()
	lock, err := flock.TryLock(filepath.Join(former, "alive.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if got, err := New(Config{Former: former}).ListUnused(t.Context(), time.Time{}); err != nil || len(got) > 0 {
		t.Errorf("unused folders = %q, %v, want none", got, err)
	}
	if _, err := os.Stat(former); err != nil {
		t.Error(err)
	}
}

// TestEndpoint_ByFolder: requests with another cache folder go to another BuildKit.
func TestEndpoint_ByFolder(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"buildkitd", "runc", "rootlesskit"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	b := builder(t, map[string]string{dockerVariable: "unix:///nowhere/docker.sock"})
	for _, dir := range []string{"/cache/trusted/buildkit", "/cache/untrusted/buildkit", "/cache/trusted/buildkit"} {
		e, err := b.endpoint(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if e.daemon == nil || e.daemon.dir != dir {
			t.Errorf("endpoint of %s = %+v, want a BuildKit there", dir, e)
		}
	}
}

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/flock"
)

// otherCache makes the caches of another project, which was last run that long ago.
func otherCache(t *testing.T, all, name string, ago time.Duration) string {
	t.Helper()
	dir := filepath.Join(all, name)
	write(t, filepath.Join(dir, "trusted", "python", "1", "env", "file"), "12345")
	write(t, filepath.Join(dir, projectName), "repository "+name)
	last := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(dir, projectName), last, last); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAbandonedCaches(t *testing.T) {
	all := filepath.Join(t.TempDir(), projectsName)
	s := &session{app: &App{Clock: time.Now}, workspace: Workspace{Repository: t.TempDir(), Cache: filepath.Join(all, "ours"), Project: "api"}}
	if found, err := s.abandonedCaches(); err != nil || len(found) > 0 {
		t.Errorf("abandoned caches = %q, %v, want none: nothing is cached", found, err)
	}
	const long = cachePeriod + time.Hour
	otherCache(t, all, "ours", long)
	otherCache(t, all, "recent", time.Hour)
	running, building, abandoned := otherCache(t, all, "running", long), otherCache(t, all, "building", long), otherCache(t, all, "abandoned", long)
	write(t, filepath.Join(all, "unknown", "file"), "not ours to judge")
	write(t, filepath.Join(building, "trusted", "buildkit", "alive.lock"), "")
	daemon, err := flock.TryLock(filepath.Join(building, "trusted", "buildkit", "alive.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	found, err := s.abandonedCaches()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{abandoned, running}, found); diff != "" {
		t.Errorf("abandoned caches (-want +got):\n%s", diff)
	}

	theirs := &session{app: s.app, workspace: Workspace{Repository: t.TempDir(), Cache: running, Project: "api"}}
	release := theirs.useCache(t.Context())
	if _, ok, err := s.detach(running, false); ok || err != nil {
		t.Errorf("detach while a run has begun = %v, %v, want false", ok, err)
	}
	release()
	if _, ok, err := s.detach(running, false); ok || err != nil {
		t.Errorf("detach after a run = %v, %v, want false: it is in use again", ok, err)
	}
	moved, ok, err := s.detach(abandoned, false)
	if !ok || err != nil {
		t.Fatalf("detach = %v, %v, want true", ok, err)
	}
	if _, err := os.Stat(abandoned); !os.IsNotExist(err) {
		t.Errorf("the abandoned caches are still there: %v", err)
	}
	if found, err := s.abandonedCaches(); err != nil || len(found) != 1 || found[0] != moved {
		t.Errorf("abandoned caches = %q, %v, want what a killed cleanup leaves, %s", found, err, moved)
	}
}

func TestUseCache_NamesProject(t *testing.T) {
	s := &session{app: &App{Clock: time.Now}, workspace: Workspace{
		Repository: cloneOf(t, "https://robot:hunter22@git.example.com/shop/retail.git"), Cache: filepath.Join(t.TempDir(), projectsName, "1"), Project: "api",
	}}
	for range 2 {
		release := s.useCache(t.Context())
		defer release()
	}
	raw, err := os.ReadFile(filepath.Join(s.workspace.Cache, projectName))
	if err != nil {
		t.Fatal(err)
	}
	if want := "repository git.example.com/shop/retail\nfolder .\nservice api\n"; string(raw) != want {
		t.Errorf("project = %q, want %q", raw, want)
	}
	s.workspace.Cache = filepath.Join(s.workspace.Repository, ".git", "config", "no folder")
	s.useCache(t.Context())()
	if strings.Contains(string(raw), "hunter22") {
		t.Error("the file holds credentials")
	}
}

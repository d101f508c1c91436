package venv

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

// TestListUnused_SharedByClones: an environment in the shared cache stays as long as
// another state folder may be using it.
func TestListUnused_SharedByClones(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	s.r.CacheDir = t.TempDir()
	env := s.must()
	folder := filepath.Dir(env.Dir)
	if filepath.Dir(filepath.Dir(folder)) != s.r.CacheDir {
		t.Errorf("environment = %s, want it in %s", env.Dir, s.r.CacheDir)
	}
	ours, theirs := s.r.ArtifactsDir, t.TempDir()
	unused := func(user string, before time.Time) int {
		t.Helper()
		found, err := ListUnused(s.r.CacheDir, user, before)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	later := time.Now().Add(time.Hour)
	if n := unused(ours, time.Now().Add(-time.Hour)); n != 0 {
		t.Errorf("%d unused environments, want none: it was just made", n)
	}
	if n := unused(ours, later); n != 1 {
		t.Errorf("%d unused environments, want the one that only this state folder uses", n)
	}
	s.r.ArtifactsDir = theirs
	if again := s.must(); again != env {
		t.Errorf("environment of another clone = %v, want the same, %v", again, env)
	}
	s.called("venv", "install unset")
	if n := unused(ours, later); n != 0 {
		t.Errorf("%d unused environments, want none: another clone uses it", n)
	}
	if _, ok, err := Detach(folder, ours); ok || err != nil {
		t.Errorf("Detach = %v, %v, want false: another clone uses it", ok, err)
	}
	long := time.Now().Add(-usePeriod - time.Minute)
	if err := os.Chtimes(userFile(folder, theirs), long, long); err != nil {
		t.Fatal(err)
	}
	if n := unused(ours, later); n != 1 {
		t.Errorf("%d unused environments, want the one that the other clone used long ago", n)
	}
	s.must()
	if err := os.RemoveAll(theirs); err != nil {
		t.Fatal(err)
	}
	if n := unused(ours, later); n != 1 {
		t.Errorf("%d unused environments, want the one of a clone that is gone", n)
	}
}

func TestDetach(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	env := s.must()
	folder := filepath.Dir(env.Dir)
	lock, err := flock.LockShared(t.Context(), filepath.Join(folder, lockName), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := Detach(folder, s.r.ArtifactsDir); ok || err != nil {
		t.Errorf("Detach while it is in use = %v, %v, want false", ok, err)
	}
	lock.Close()
	moved, ok, err := Detach(folder, s.r.ArtifactsDir)
	if !ok || err != nil {
		t.Fatalf("Detach = %v, %v, want true", ok, err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the environment is still there: %v", err)
	}
	left, err := ListUnused(s.r.ArtifactsDir, s.r.ArtifactsDir, time.Now().Add(time.Hour))
	if err != nil || len(left) != 1 || left[0] != moved {
		t.Errorf("unused = %q, %v, want what a killed cleanup leaves, %s", left, err, moved)
	}
	if again := s.must(); again != env { // made anew, with the same name
		t.Errorf("environment = %v, want %v", again, env)
	}
	s.called("venv", "install unset", "venv", "install unset")
	if _, ok, err := Detach(filepath.Join(t.TempDir(), "none"), ""); ok || err != nil {
		t.Errorf("Detach of nothing = %v, %v, want false", ok, err)
	}
}

//go:build linux

package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// supervisorOf returns the supervisor of a process ID, as commands of other folders see it.
func supervisorOf(t *testing.T, pid int) (port.Supervisor, bool) {
	t.Helper()
	all, err := local.NewSupervisors().List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s port.Supervisor) bool { return s.PID == pid })
	if i < 0 {
		return port.Supervisor{}, false
	}
	return all[i], true
}

// TestSupervisors_LoseTheirFolder: a supervisor whose state folder is moved or removed
// keeps serving, is listed with what it serves, blames no release, and can be ended.
func TestSupervisors_LoseTheirFolder(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(dir string) error
		as   func(s port.Supervisor, dir string) bool
	}{
		{"moved", func(dir string) error { return os.Rename(dir, dir+"-moved") }, func(s port.Supervisor, dir string) bool { return s.MovedTo == dir+"-moved" && !s.Removed }},
		{"removed", os.RemoveAll, func(s port.Supervisor, _ string) bool { return s.Removed && s.MovedTo == "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "state")
			s := newTestTarget(t, func(c *local.Config) { c.Dir = filepath.Join(home, "local") })
			openFolder(t, home)
			a := s.request(porttest.Sample{Version: "a"})
			url := s.deploy(t, a).URL
			pid := supervisorPID(t, s.cfg.Dir)
			if found, ok := supervisorOf(t, pid); !ok || found.IsLost() || found.Home != home || fmt.Sprint(found.Services) != fmt.Sprintf("[{%s dev %s %s}]", s.service, a.ID, url) {
				t.Fatalf("found %+v, want it in %s with %s", found, home, a.ID)
			}
			if err := c.lose(home); err != nil {
				t.Fatal(err)
			}
			found, _ := supervisorOf(t, pid)
			if !found.IsLost() || !c.as(found, home) || len(found.Services) != 1 || found.Services[0].Release != a.ID {
				t.Errorf("found %+v, want it %s, with %s", found, c.name, a.ID)
			}
			if err := checkServing(url, a.ID)(); err != nil {
				t.Error(err)
			}
			seen, err := s.Observe(context.Background(), a.Service, a.Environment)
			if notes := strings.Join(seen.Notes, "\n"); err != nil || !strings.Contains(notes, fmt.Sprintf("supervisor %d of the ", pid)) || !strings.Contains(notes, fmt.Sprintf(" still runs %s at %s; ", a.ID, url)) {
				t.Errorf("observation %+v, %v: want a note of what still runs", seen, err)
			}
			if err := local.NewSupervisors().Stop(context.Background(), found); err != nil {
				t.Fatal(err)
			}
			requireExit(t, []int{pid})
			if _, err := fetch(url + "/health"); err == nil {
				t.Error("it still serves")
			}
		})
	}
}

// openFolder lets the service's user enter a folder, which bwrap as root requires.
func openFolder(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != "/" && dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) { // that is everybody's
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTarget_MovedFolder: a target in the folder's new place sees the service, and its
// next command starts it there. No release is blamed meanwhile.
func TestTarget_MovedFolder(t *testing.T) {
	home := filepath.Join(t.TempDir(), "state")
	s := newTestTarget(t, func(c *local.Config) { c.Dir = filepath.Join(home, "local") })
	openFolder(t, home)
	a := s.request(porttest.Sample{Version: "a"})
	url := s.deploy(t, a).URL
	pid := supervisorPID(t, s.cfg.Dir)
	if err := os.Rename(home, home+"-moved"); err != nil {
		t.Fatal(err)
	}
	cfg := s.cfg
	cfg.Dir = filepath.Join(home+"-moved", "local")
	moved := &testTarget{Target: local.New(cfg), cfg: cfg, store: s.store, service: s.service}
	t.Cleanup(func() {
		if err := moved.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if seen, err := moved.Observe(context.Background(), a.Service, a.Environment); err != nil || seen.Release != a.ID {
		t.Errorf("observation %+v, %v, want %s", seen, err, a.ID)
	}
	b := s.request(porttest.Sample{Version: "b"})
	if _, err := moved.Stage(context.Background(), b, nil); err != nil {
		t.Fatalf("stage: %v", err)
	}
	if _, err := moved.Promote(context.Background(), b, nil); err != nil {
		t.Fatalf("promote: %v", err)
	}
	requireExit(t, []int{pid})
	if err := checkServing(url, b.ID)(); err != nil {
		t.Error(err)
	}
	if found, ok := supervisorOf(t, supervisorPID(t, cfg.Dir)); !ok || found.IsLost() {
		t.Errorf("found %+v, want it in its new place", found)
	}
}

// TestStage_FolderRemoved: the folder is removed while a release is being staged. That
// is not the release's failure.
func TestStage_FolderRemoved(t *testing.T) {
	home := filepath.Join(t.TempDir(), "state")
	s := newTestTarget(t, func(c *local.Config) { c.Dir = filepath.Join(home, "local") })
	openFolder(t, home)
	a := s.request(porttest.Sample{Version: "a"})
	s.deploy(t, a)
	pid := supervisorPID(t, s.cfg.Dir)
	b := s.request(porttest.Sample{Version: "b", Mode: "slow start"})
	staged := make(chan error, 1)
	go func() {
		_, err := s.Stage(context.Background(), b, func(text string) {
			if strings.Contains(text, "0 of 2 replicas ready") {
				_ = os.RemoveAll(home) // checked below
			}
		})
		if err == nil {
			_, err = s.Promote(context.Background(), b, nil)
		}
		staged <- err
	}()
	err := <-staged
	if err == nil || fault.Is(err, fault.Failed) || fault.Is(err, fault.Invalid) {
		t.Errorf("error = %v (%s), want one of the infrastructure", err, fault.KindOf(err))
	}
	if found, ok := supervisorOf(t, pid); ok {
		if err := local.NewSupervisors().Stop(context.Background(), found); err != nil {
			t.Error(err)
		}
	}
}

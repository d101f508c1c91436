//go:build linux

package local_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// killSupervisor kills the supervisor, and waits until its lock is free.
func (s *testTarget) killSupervisor(t *testing.T) {
	t.Helper()
	pid := supervisorPID(t, s.cfg.Dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d is still there", pid)
		}
		return nil
	})
}

// stranger listens on the port of a URL and returns 200 for everything.
func stranger(t *testing.T, url string) {
	t.Helper()
	l, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "not yours") })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
}

// TestStablePort_InUse: another process has taken the port while the supervisor
// was away. A port that was chosen is replaced, one that the user has set is not.
func TestStablePort_InUse(t *testing.T) {
	t.Run("chosen, next release", func(t *testing.T) {
		s := newTestTarget(t, nil)
		a, b := s.request(porttest.Sample{Version: "a"}), s.request(porttest.Sample{Version: "b"})
		old := s.deploy(t, a).URL
		s.killSupervisor(t)
		stranger(t, old)
		seen := s.deploy(t, b)
		if seen.URL == old || checkServing(seen.URL, b.ID)() != nil {
			t.Errorf("%s is at %s, want it to serve at another port than %s", b.ID, seen.URL, old)
		}
		if notes := strings.Join(seen.Notes, "\n"); !strings.Contains(notes, fmt.Sprintf("process %d", os.Getpid())) || !strings.Contains(notes, "moved to port") {
			t.Errorf("notes = %q, want who has the port, and the new one", notes)
		}
	})
	t.Run("chosen, restored", func(t *testing.T) {
		s := newTestTarget(t, nil)
		a := s.request(porttest.Sample{Version: "a"})
		old := s.deploy(t, a).URL
		s.killSupervisor(t)
		stranger(t, old)
		if err := s.Restore(context.Background()); err != nil {
			t.Fatal(err)
		}
		seen, err := s.Observe(context.Background(), a.Service, a.Environment)
		if err != nil || seen.URL == old || checkServing(seen.URL, a.ID)() != nil {
			t.Errorf("%s is at %s, error = %v, want it to serve at another port than %s", a.ID, seen.URL, err, old)
		}
		// It is kept.
		if again := s.deploy(t, s.request(porttest.Sample{Version: "b"})); again.URL != seen.URL {
			t.Errorf("the next release is at %s, want %s", again.URL, seen.URL)
		}
	})
	t.Run("set by the user", func(t *testing.T) {
		s := newTestTarget(t, nil)
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := s.request(porttest.Sample{Version: "a"})
		a.Port = free.Addr().(*net.TCPAddr).Port
		free.Close()
		url := s.deploy(t, a).URL
		s.killSupervisor(t)
		stranger(t, url)
		if err := s.Restore(context.Background()); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), fmt.Sprint(a.Port)) {
			t.Errorf("error = %v, want a conflict that names port %d", err, a.Port)
		}
		b := s.request(porttest.Sample{Version: "b"})
		b.Port = a.Port
		if _, err := s.Stage(context.Background(), b, nil); !fault.Is(err, fault.Conflict) || !fault.IsInfrastructure(fault.AsInfrastructure(err)) {
			t.Errorf("error = %v, want a conflict that is not the release's", err)
		}
	})
}

// TestObserve_Outage: a supervisor that was killed is an outage of the target, until
// it is started again.
func TestObserve_Outage(t *testing.T) {
	s := newTestTarget(t, func(c *local.Config) { c.Runtime = "namespaces" })
	a := s.request(porttest.Sample{Version: "a"})
	if seen := s.deploy(t, a); seen.Outage != "" {
		t.Errorf("outage = %q, want none", seen.Outage)
	}
	s.killSupervisor(t)
	seen, err := s.Observe(context.Background(), a.Service, a.Environment)
	if err != nil || !strings.Contains(seen.Outage, "supervisor") {
		t.Errorf("outage = %q, error = %v, want the supervisor in it", seen.Outage, err)
	}
	if err := s.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if seen, err = s.Observe(context.Background(), a.Service, a.Environment); err != nil || seen.Outage != "" || seen.Release != a.ID {
		t.Errorf("%s runs, outage = %q, error = %v, want %s and no outage", seen.Release, seen.Outage, err, a.ID)
	}
}

//go:build linux

package local_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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

// takeReplicaPort takes the port of the first replica that it finds in the folder,
// before the replica does, and handles its connections.
func takeReplicaPort(t *testing.T, dir string, handle func(net.Conn)) (taken chan int) {
	t.Helper()
	taken = make(chan int, 1)
	go func() {
		for t.Context().Err() == nil {
			files, _ := filepath.Glob(filepath.Join(dir, "run", "*.json"))
			for _, f := range files {
				name := strings.TrimSuffix(filepath.Base(f), ".json")
				at, _ := strconv.Atoi(name[strings.LastIndex(name, "-")+1:])
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at))
				if err != nil {
					continue
				}
				context.AfterFunc(t.Context(), func() { l.Close() })
				taken <- at
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go handle(c)
				}
			}
			time.Sleep(5 * time.Millisecond) // poll interval
		}
	}()
	return taken
}

// TestReplicaPort_TakenByStranger: another process takes a replica's port before the
// replica listens on it. Its responses do not count, and the replica gets another port.
func TestReplicaPort_TakenByStranger(t *testing.T) {
	for _, c := range []struct {
		name   string
		handle func(net.Conn)
	}{
		{"says 200", func(c net.Conn) {
			defer c.Close()
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		}},
		{"says 404", func(c net.Conn) {
			defer c.Close()
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		}},
		{"hangs up", func(c net.Conn) { c.Close() }},
	} {
		for _, runtime := range runtimes() {
			t.Run(c.name+", "+runtime, func(t *testing.T) {
				s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
				taken := takeReplicaPort(t, s.cfg.Dir, c.handle)
				o := s.request(porttest.Sample{Version: "a", Mode: "slow start"})
				seen := s.deploy(t, o)
				select {
				case <-taken:
				default:
					t.Fatal("no port was taken")
				}
				for range 4 { // two replicas
					if err := checkServing(seen.URL, o.ID)(); err != nil {
						t.Error(err)
					}
				}
				for _, r := range seen.Replicas {
					if r.Restarts != 0 {
						t.Errorf("replica %s: %d restarts, want none: another port is no failure", r.Name, r.Restarts)
					}
				}
			})
		}
	}
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

//go:build linux

package local_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestReplica_RestartsAfterCrash(t *testing.T) {
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	url := s.deploy(t, a).URL
	begun := time.Now()
	for range 2 {
		_, _ = fetch(url + "/exit?code=7") // the replica exits during the request
	}
	eventually(t, func() error {
		seen, err := s.Observe(context.Background(), a.Service, a.Environment)
		if err != nil {
			return err
		}
		if seen.Wanted != len(seen.Replicas) {
			return fmt.Errorf("%d replicas wanted, %d seen", seen.Wanted, len(seen.Replicas))
		}
		restarts := 0
		for _, r := range seen.Replicas {
			restarts += r.Restarts
			if r.State != "ready" || r.Restarts > 0 && (!strings.Contains(r.Cause, "exit code 7") || !strings.Contains(r.Cause, "told to exit")) {
				return fmt.Errorf("replica %+v", r)
			}
			if end := r.LastEnd; r.Restarts > 0 && (end == nil || end.At.Before(begun) || end.Infrastructure || !strings.Contains(end.Cause, "exit code 7")) {
				return fmt.Errorf("last end of %s = %+v, want its own, since %s", r.Name, end, begun)
			}
		}
		if restarts < 2 {
			return fmt.Errorf("%d restarts, want 2 at least", restarts)
		}
		return nil
	})
	if err := checkServing(url, a.ID)(); err != nil {
		t.Error(err)
	}
}

func TestReplica_OutOfMemory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("limits of memory need root here: ordinary users may not make cgroups")
	}
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			a := s.request(porttest.Sample{Version: "a"})
			a.Release.Workload.Memory, a.Release.Workload.CPU = 64<<20, 0.5
			seen := s.deploy(t, a)
			for _, n := range seen.Notes {
				if strings.Contains(n, "not enforced") {
					t.Skipf("this machine cannot limit: %s", n)
				}
			}
			_, _ = fetch(seen.URL + "/eat?mib=200") // the replica is killed during the request
			eventually(t, func() error {
				seen, err := s.Observe(context.Background(), a.Service, a.Environment)
				if err != nil || !strings.Contains(fmt.Sprint(seen.Replicas), "out of memory: killed at its limit of 64 MiB") {
					return fmt.Errorf("replicas %+v, %v; want one that ran out of memory", seen.Replicas, err)
				}
				return nil
			})
		})
	}
}

func TestReplica_NotesUnenforcedLimits(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can set them")
	}
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	a.Release.Workload.Memory = 64 << 20
	if notes := fmt.Sprint(s.deploy(t, a).Notes); !strings.Contains(notes, "memory limit not enforced") {
		t.Skipf("this user can limit memory: notes %s", notes)
	}
}

func TestStage_PortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	a.Port = taken.Addr().(*net.TCPAddr).Port
	_, err = s.Stage(context.Background(), a, nil)
	if !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Fatalf("error = %v, want a conflict with a hint", err)
	}
	for _, want := range []string{strconv.Itoa(a.Port), fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
	taken.Close()
	if url := s.deploy(t, a).URL; url != fmt.Sprintf("http://127.0.0.1:%d", a.Port) {
		t.Errorf("url = %s, want port %d", url, a.Port)
	}
}

func TestPromote_ChangesPort(t *testing.T) {
	s := newTestTarget(t, nil)
	a, b := s.request(porttest.Sample{Version: "a"}), s.request(porttest.Sample{Version: "b"})
	old := s.deploy(t, a).URL
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.Port = free.Addr().(*net.TCPAddr).Port
	free.Close()
	seen := s.deploy(t, b)
	if seen.URL == old || checkServing(seen.URL, b.ID)() != nil {
		t.Errorf("%s does not serve %s (it was at %s)", seen.URL, b.ID, old)
	}
	if _, err := fetch(old); err == nil {
		t.Errorf("%s is still open", old)
	}
}

func TestTarget_LongFolder(t *testing.T) {
	s := newTestTarget(t, func(c *local.Config) {
		c.Dir = filepath.Join(filepath.Dir(c.Dir), strings.Repeat("long-", 30), strings.Repeat("path-", 30))
	})
	a := s.request(porttest.Sample{Version: "a"})
	if err := checkServing(s.deploy(t, a).URL, a.ID)(); err != nil {
		t.Error(err)
	}
}

func TestTarget_EnvironmentsAreIsolated(t *testing.T) {
	s := newTestTarget(t, nil)
	dev, prod := s.requestIn("dev", porttest.Sample{Version: "a"}), s.requestIn("prod", porttest.Sample{Version: "b"})
	one, two := s.deploy(t, dev).URL, s.deploy(t, prod).URL
	if err := s.Remove(context.Background(), dev.Service, dev.Environment); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(one); err == nil {
		t.Error("the removed environment still answers")
	}
	if err := checkServing(two, prod.ID)(); err != nil {
		t.Error(err)
	}
}

// TestStage_ConcurrentEnvironments: clients race to start the same supervisor.
func TestStage_ConcurrentEnvironments(t *testing.T) {
	s := newTestTarget(t, nil)
	errs := make(chan error)
	const clients = 4
	for i := range clients {
		o := s.requestIn(delivery.Environment(fmt.Sprintf("env%d", i)), porttest.Sample{Version: "a"})
		go func() {
			_, err := s.Stage(context.Background(), o, nil)
			if err == nil {
				_, err = s.Promote(context.Background(), o, nil)
			}
			errs <- err
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestTarget_CorruptState(t *testing.T) {
	s := newTestTarget(t, nil)
	if err := os.MkdirAll(s.cfg.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.cfg.Dir, "state.json")
	if err := os.WriteFile(path, []byte(`{"schema":1,"environments":{"sam`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.request(porttest.Sample{Version: "a"})
	if _, err := s.Stage(context.Background(), o, nil); !fault.Is(err, fault.Corrupt) || fault.HintOf(err) == "" {
		t.Errorf("error = %v, want one of kind %s with a hint", err, fault.Corrupt)
	}
	os.Remove(path)
}

func TestTarget_RejectsUnsafeNames(t *testing.T) {
	s := newTestTarget(t, nil)
	for _, name := range []string{"../../etc", "a/b", "", ".", "a..b", strings.Repeat("x", 64)} {
		o := s.requestIn(delivery.Environment(name), porttest.Sample{Version: "a"})
		if _, err := s.Stage(context.Background(), o, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("environment %q: error = %v, want %s", name, err, fault.Invalid)
		}
	}
}

func TestReplicaLogs_LastLines(t *testing.T) {
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	s.deploy(t, a)
	lines, err := s.ReplicaLogs(context.Background(), a.Service, a.Environment, 5)
	if err != nil || len(lines) != 2 || !slices.IsSorted(lines) {
		t.Fatalf("lines = %q, %v; want one of each replica", lines, err)
	}
	if !strings.Contains(lines[0], string(a.ID)) || !strings.HasSuffix(lines[0], "| sample a starts") {
		t.Errorf("line = %q", lines[0])
	}
}

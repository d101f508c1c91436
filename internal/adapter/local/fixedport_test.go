//go:build linux

package local_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// fixed is a release whose service listens on port 8000, whatever PORT says.
func (s *testTarget) fixed(version string) port.DeployRequest {
	o := s.request(porttest.Sample{Version: version})
	o.Release.Workload.Env["SAMPLE_FIXED_LISTEN"] = "8000"
	o.Release.Workload.Port = 8000
	return o
}

// load sends requests until it is stopped, and counts them.
type load struct {
	sent, lost atomic.Int64
	releases   sync.Map
	firstLost  atomic.Value
}

// run sends requests by eight clients until stop is closed and at least that many
// were sent.
func (l *load) run(url string, atLeast int64, stop <-chan struct{}) {
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					if l.sent.Load() >= atLeast {
						return
					}
				default:
				}
				said, err := fetch(url + "/health")
				l.sent.Add(1)
				if err != nil {
					l.lost.Add(1)
					l.firstLost.CompareAndSwap(nil, err.Error())
				}
				l.releases.Store(said, true)
			}
		})
	}
	clients.Wait()
}

// saw reports whether a release responded.
func (l *load) saw(id delivery.ReleaseID) (found bool) {
	l.releases.Range(func(said, _ any) bool {
		found = strings.Contains(said.(string), string(id))
		return !found
	})
	return found
}

// TestFixedPort_SwitchLosesNothing: two replicas of a service that listens on 8000
// only, and during the switch two releases of it, run side by side.
func TestFixedPort_SwitchLosesNothing(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			a, b := s.fixed("a"), s.fixed("b")
			url := s.deploy(t, a).URL
			var l load
			stop, done := make(chan struct{}), make(chan struct{})
			go func() { defer close(done); l.run(url, 2000, stop) }()
			seen := s.deploy(t, b)
			close(stop)
			<-done
			if sent, lost := l.sent.Load(), l.lost.Load(); sent < 2000 || lost != 0 {
				t.Errorf("%d of %d requests were lost, want none of 2000: %v", lost, sent, l.firstLost.Load())
			}
			if !l.saw(a.ID) || !l.saw(b.ID) {
				t.Errorf("the first release responded: %v, the second: %v; want both", l.saw(a.ID), l.saw(b.ID))
			}
			ready := 0
			for _, r := range seen.Replicas {
				if r.State == port.ReplicaReady && r.Release == b.ID {
					ready++
				}
			}
			if ready != 2 {
				t.Errorf("replicas = %+v, want two of %s", seen.Replicas, b.ID)
			}
		})
	}
}

// TestFixedPort_Isolation: a container with a network of its own is otherwise like
// any other.
func TestFixedPort_Isolation(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			o := s.fixed("a")
			o.Release.Workload.Env["FROM_WORKLOAD"] = "yes"
			seen := s.deploy(t, o)
			if notes := strings.Join(seen.Notes, "\n"); !strings.Contains(notes, "separate network") {
				t.Errorf("notes = %q, want one about the network", seen.Notes)
			}
			proof, err := s.Identify(context.Background(), o, seen.URL)
			if err != nil || proof.Method != port.ProofBySocket {
				t.Errorf("proof = %+v, %v; want one by the sockets", proof, err)
			}
			delete(o.Release.Workload.Env, "SAMPLE_FIXED_LISTEN")
			checkContainerWith(t, seen, o, "", "SAMPLE_FIXED_LISTEN")
		})
	}
}

// TestFixedPort_FromImage: the only port that the image exposes is the service's; a
// privileged port is no obstacle.
func TestFixedPort_FromImage(t *testing.T) {
	s := newTestTarget(t, nil)
	s.store.ports = []int{80}
	o := s.request(porttest.Sample{Version: "a"})
	o.Release.Workload.Env["SAMPLE_FIXED_LISTEN"] = "80"
	if err := checkServing(s.deploy(t, o).URL, o.ID)(); err != nil {
		t.Error(err)
	}
	// A service that listens on PORT may ignore what its image exposes.
	o = s.request(porttest.Sample{Version: "b"})
	o.Release.Workload.Port = delivery.AnyPort
	seen := s.deploy(t, o)
	if err := checkServing(seen.URL, o.ID)(); err != nil || strings.Contains(fmt.Sprint(seen.Notes), "network") {
		t.Errorf("error = %v, notes = %q, want it in this machine's network", err, seen.Notes)
	}
}

// TestFixedPort_Restored: replicas restart, and after the death of the supervisor
// none is left and all come back.
func TestFixedPort_Restored(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			a := s.fixed("a")
			url := s.deploy(t, a).URL
			_, _ = fetch(url + "/exit?code=7") // the replica exits during the request
			eventually(t, func() error {
				seen, err := s.Observe(context.Background(), a.Service, a.Environment)
				if err != nil {
					return err
				}
				if said := fmt.Sprint(seen.Replicas); !strings.Contains(said, "exit code 7") || strings.Count(said, "ready") != 2 {
					return fmt.Errorf("replicas %s, want two that are ready, and one that exited before", said)
				}
				return nil
			})
			pids := replicaPIDs(t, s.cfg.Dir)
			if len(pids) < 4 {
				t.Fatalf("processes = %v, want the replicas and those in their networks", pids)
			}
			if err := syscall.Kill(supervisorPID(t, s.cfg.Dir), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			requireExit(t, pids)
			if err := s.Restore(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := checkServing(url, a.ID)(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFixedPort_WayOut: where pasta is installed, a network of its own has a way out,
// which ends with the supervisor, too.
func TestFixedPort_WayOut(t *testing.T) {
	_, err := exec.LookPath("pasta")
	tun, openErr := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil || openErr != nil || os.Geteuid() == 0 {
		t.Skipf("pasta (%v), /dev/net/tun (%v) and an ordinary user are needed", err, openErr)
	}
	tun.Close()
	s := newTestTarget(t, nil)
	o := s.fixed("a")
	seen := s.deploy(t, o)
	if notes := strings.Join(seen.Notes, "\n"); !strings.Contains(notes, "reaches other hosts by pasta") {
		t.Fatalf("notes = %q, want a way out", notes)
	}
	if err := checkServing(seen.URL, o.ID)(); err != nil {
		t.Error(err)
	}
	var pasta []int
	for _, pid := range replicaPIDs(t, s.cfg.Dir) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(line), "pasta\x00") {
			pasta = append(pasta, pid)
		}
	}
	if len(pasta) != 2 {
		t.Errorf("pasta runs as %v, want once for each replica", pasta)
	}
	s.killSupervisor(t)
	eventually(t, func() error {
		for _, pid := range pasta {
			if syscall.Kill(pid, 0) == nil {
				return fmt.Errorf("process %d lingers", pid)
			}
		}
		return nil
	})
}

// TestWrongPort: a service that listens elsewhere is told apart long before the
// start timeout, and the error says what to set.
func TestWrongPort(t *testing.T) {
	ignoring, _ := hostPorts(t)
	for _, c := range []struct {
		name   string
		port   int // of the release
		listen int // of the service
		want   string
	}{
		{"PORT ignored", 0, ignoring, fmt.Sprintf("the service listens on %d, but PORT is ", ignoring)},
		{"another fixed port", 8000, 9000, "the service listens on 9000, but PORT is 8000"},
	} {
		for _, runtime := range runtimes() {
			t.Run(c.name+", "+runtime, func(t *testing.T) {
				s := newTestTarget(t, func(cfg *local.Config) { cfg.Runtime, cfg.StartTimeout = runtime, time.Minute })
				o := s.request(porttest.Sample{Version: "a"})
				o.Release.Workload.Replicas = 1
				o.Release.Workload.Port = c.port
				o.Release.Workload.Env["SAMPLE_FIXED_LISTEN"] = fmt.Sprint(c.listen)
				start := time.Now()
				_, err := s.Stage(context.Background(), o, nil)
				if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error = %v, want %q", err, c.want)
				}
				if want := fmt.Sprintf("deploy.port: %d", c.listen); !strings.Contains(fault.HintOf(err), want) {
					t.Errorf("hint = %q, want %q in it", fault.HintOf(err), want)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %v, want a few seconds", took)
				}
			})
		}
	}
}

// TestWrongPort_AtTimeout: a service that is ready nowhere, but listens elsewhere.
func TestWrongPort_AtTimeout(t *testing.T) {
	s := newTestTarget(t, func(cfg *local.Config) { cfg.StartTimeout = 2 * time.Second })
	o := s.request(porttest.Sample{Version: "a", Mode: "unready"})
	o.Release.Workload.Replicas = 1
	_, listens := hostPorts(t)
	o.Release.Workload.Env["SAMPLE_FIXED_LISTEN"] = fmt.Sprint(listens)
	_, err := s.Stage(context.Background(), o, nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the service listens on %d, but PORT is ", listens)) ||
		!strings.Contains(fault.HintOf(err), fmt.Sprintf("deploy.port: %d", listens)) {
		t.Errorf("error = %v, hint %q, want where it listens", err, fault.HintOf(err))
	}
}

// BenchmarkRequest is one request through the proxy, to a replica in this machine's
// network and to one in a network of its own. The connections to it are kept.
func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name string
		port int
	}{{"host network", 0}, {"network of its own", 8000}} {
		b.Run(c.name, func(b *testing.B) {
			s := newTestTarget(b, nil)
			o := s.request(porttest.Sample{Version: "a"})
			if c.port != 0 {
				o = s.fixed("a")
			}
			o.Release.Workload.Replicas = 1
			url := s.deploy(b, o).URL + "/ready"
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Get(url)
					if err != nil {
						b.Error(err)
						return
					}
					resp.Body.Close()
				}
			})
		})
	}
}

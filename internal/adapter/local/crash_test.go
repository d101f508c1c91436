//go:build linux

package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// runClient stages and promotes one release and is killed meanwhile.
func runClient(ctx context.Context, dir string) int {
	store := &fakeStore{sample: os.Getenv("SLIPWAY_TEST_SAMPLE")}
	s := &testTarget{Target: local.New(local.Config{Dir: dir, StartTimeout: startTimeout, GracePeriod: 2 * time.Second, Images: store, Artifacts: store}), service: os.Getenv("SLIPWAY_TEST_SERVICE")}
	o := s.request(porttest.Sample{Version: os.Getenv("SLIPWAY_TEST_VERSION")})
	_, err := s.Stage(ctx, o, nil)
	if err == nil {
		_, err = s.Promote(ctx, o, nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestTarget_ClientKilled kills the client at various moments of a deployment
// under load. Deploying again completes it, and no request is lost.
func TestTarget_ClientKilled(t *testing.T) {
	s := newTestTarget(t, nil)
	url := s.deploy(t, s.request(porttest.Sample{Version: "0"})).URL
	ctx, stop := context.WithCancel(context.Background())
	var users sync.WaitGroup
	var answered, lost atomic.Int64
	users.Go(func() {
		for ctx.Err() == nil {
			if _, err := fetch(url + "/health"); err != nil {
				lost.Add(1)
				t.Log(err)
			}
			answered.Add(1)
		}
	})
	for i := 1; i <= 12; i++ {
		version := fmt.Sprint(i)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "SLIPWAY_TEST_CLIENT="+s.cfg.Dir, "SLIPWAY_TEST_VERSION="+version, "SLIPWAY_TEST_SERVICE="+s.service, "SLIPWAY_TEST_SAMPLE="+s.store.sample)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*8) * time.Millisecond) // the moment is what varies
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		state, err := supervisor.ReadState(s.cfg.Dir)
		if err != nil || state.Environments[s.service+"/dev"].Promoted == nil {
			t.Fatalf("state = %+v, %v; want one promoted release at any moment", state, err)
		}
		o := s.request(porttest.Sample{Version: version})
		if seen := s.deploy(t, o); seen.Release != o.ID || len(seen.Replicas) != 2 {
			t.Fatalf("after the kill: %+v, want two replicas of %s only", seen, o.ID)
		}
	}
	stop()
	users.Wait()
	if lost.Load() != 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), answered.Load())
	}
}

// TestTarget_SupervisorKilledDuringPromote kills the supervisor during Stage and
// Promote. They start another one and complete, and no process is left (see
// requireNoProcessesLeft).
func TestTarget_SupervisorKilledDuringPromote(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			url := s.deploy(t, s.request(porttest.Sample{Version: "0"})).URL
			for i := 1; i <= 10; i++ {
				o := s.request(porttest.Sample{Version: fmt.Sprint(i)})
				pid := supervisorPID(t, s.cfg.Dir)
				killed := make(chan struct{})
				go func() {
					defer close(killed)
					time.Sleep(time.Duration(i*3) * time.Millisecond) // the moment is what varies
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}()
				_, err := s.Stage(context.Background(), o, nil)
				<-killed
				if err != nil {
					t.Fatal(err)
				}
				seen, err := s.Promote(context.Background(), o, nil)
				if err != nil || seen.Release != o.ID || seen.URL != url {
					t.Fatalf("promoted %s at %s, %v; want %s at %s", seen.Release, seen.URL, err, o.ID, url)
				}
			}
		})
	}
}

// TestTarget_OtherProtocolVersion: an older supervisor is replaced, a newer one is not.
func TestTarget_OtherProtocolVersion(t *testing.T) {
	for _, protocol := range []int{supervisor.Protocol - 1, supervisor.Protocol + 1} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			s := newTestTarget(t, nil)
			ended := fakeSupervisor(t, s.cfg.Dir, protocol)
			o := s.request(porttest.Sample{Version: "a"})
			var said []string
			_, err := s.Stage(context.Background(), o, func(text string) { said = append(said, text) })
			if protocol > supervisor.Protocol {
				if err == nil || !strings.Contains(err.Error(), "newer Slipway") {
					t.Errorf("error = %v, want one about a newer version", err)
				}
				ended()
				return
			}
			if err != nil || !strings.Contains(strings.Join(said, "\n"), "supervisor of an older version") {
				t.Errorf("said %q, %v; want it replaced", said, err)
			}
		})
	}
}

// fakeSupervisor is a supervisor of another version: it holds the lock, responds
// to hello and stops on request.
func fakeSupervisor(t *testing.T, dir string, protocol int) (end func()) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, "supervisor.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/supervisor.sock", folder.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	var once sync.Once
	end = func() { once.Do(func() { l.Close(); lock.Close() }) }
	t.Cleanup(end)
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		raw, _ := json.Marshal(v)
		_ = json.NewEncoder(w).Encode(supervisor.Message{Value: raw})
	}
	mux.HandleFunc(supervisor.CallHello, func(w http.ResponseWriter, _ *http.Request) { answer(w, supervisor.HelloResponse{Protocol: protocol}) })
	mux.HandleFunc(supervisor.CallStop, func(w http.ResponseWriter, _ *http.Request) { answer(w, true); end() })
	go func() { _ = http.Serve(l, mux) }()
	return end
}

// TestSupervisor_ClosesInheritedFiles: neither the supervisor nor a service keeps
// a pipe of the caller open.
func TestSupervisor_ClosesInheritedFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
	pipe, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s := newTestTarget(t, nil)
	s.deploy(t, s.request(porttest.Sample{Version: "a"}))
	for _, pid := range append(replicaPIDs(t, s.cfg.Dir), supervisorPID(t, s.cfg.Dir)) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if len(links) == 0 && os.Geteuid() == 0 {
			t.Errorf("process %d shows no open file", pid)
		}
		for _, link := range links {
			if to, _ := os.Readlink(link); to == pipe {
				t.Errorf("process %d holds the caller's pipe", pid)
			}
		}
	}
}

//go:build linux

package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// eventually repeats condition for up to ten seconds until it returns nil.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for err := condition(); err != nil; err = condition() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // poll interval
	}
}

func fetch(url string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return string(body), err
}

func checkServing(url string, id delivery.ReleaseID) func() error {
	return func() error {
		said, err := fetch(url + "/health")
		if err == nil && !strings.Contains(said, string(id)) {
			err = fmt.Errorf("%s answers, want %s", said, id)
		}
		return err
	}
}

func supervisorPID(t *testing.T, dir string) int {
	t.Helper()
	links, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, link := range links {
		raw, _ := os.ReadFile(link)
		args := strings.Split(string(raw), "\x00")
		if slices.Contains(args, "supervise") && slices.Contains(args, dir) {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			return pid
		}
	}
	t.Fatalf("no supervisor of %s runs", dir)
	return 0
}

// replicaPIDs returns the processes recorded by the supervisor.
func replicaPIDs(t *testing.T, dir string) []int {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "run", "*.json"))
	var pids []int
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var seen struct{ Processes []struct{ PID int } }
		if err := json.Unmarshal(raw, &seen); err != nil {
			t.Fatal(err)
		}
		for _, p := range seen.Processes {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// requireExit waits until the processes have exited.
func requireExit(t *testing.T, pids []int) {
	t.Helper()
	eventually(t, func() error {
		for _, pid := range pids {
			if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(raw), ") Z ") {
				return fmt.Errorf("process %d lingers: %s", pid, raw)
			}
		}
		return nil
	})
}

func TestContainer_Isolation(t *testing.T) {
	for _, runtime := range runtimes() {
		for _, user := range []string{"", "root", "1234:2345"} {
			t.Run(runtime+" user "+user, func(t *testing.T) {
				t.Setenv("SECRET_OF_THE_CALLER", "leak")
				s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
				s.store.user = user
				o := s.request(porttest.Sample{Version: "a"})
				o.Release.Workload.Env["FROM_WORKLOAD"] = "yes"
				checkContainer(t, s.deploy(t, o), o, user)
			})
		}
	}
}

type containerInfo struct {
	UID, GID, PID           int
	Env, Root               []string
	CapEff, CapPrm, CapBnd  string
	CapInh, CapAmb          string
	NoNewPrivs, Seccomp     string
	Model, Hostname, Groups string
	Processes               int
}

func checkContainer(t *testing.T, seen port.Observation, o port.DeployRequest, user string) {
	t.Helper()
	checkContainerWith(t, seen, o, user)
}

// checkContainerWith is checkContainer for a service with more variables.
func checkContainerWith(t *testing.T, seen port.Observation, o port.DeployRequest, user string, variables ...string) {
	t.Helper()
	raw, err := fetch(seen.URL + "/inside")
	if err != nil {
		t.Fatal(err)
	}
	var in containerInfo
	if err := json.Unmarshal([]byte(raw), &in); err != nil {
		t.Fatal(err)
	}
	uid, gid := 65532, 65532
	if user == "1234:2345" {
		uid, gid = 1234, 2345
	}
	if in.UID != uid || in.GID != gid || in.PID != 1 || in.Processes != 1 {
		t.Errorf("uid %d gid %d pid %d among %d processes; want %d, %d, 1, 1", in.UID, in.GID, in.PID, in.Processes, uid, gid)
	}
	for name, caps := range map[string]string{"effective": in.CapEff, "permitted": in.CapPrm, "inheritable": in.CapInh, "ambient": in.CapAmb, "bounding": in.CapBnd} {
		if caps != "0000000000000000" {
			t.Errorf("%s capabilities = %s, want none", name, caps)
		}
	}
	if in.NoNewPrivs != "1" || in.Model != string(o.Release.Model.Digest) {
		t.Errorf("no_new_privs %s, model %q; want 1, %s", in.NoNewPrivs, in.Model, o.Release.Model.Digest)
	}
	if in.Seccomp != "2" {
		t.Errorf("seccomp mode = %s, want 2: a filter", in.Seccomp)
	}
	for i, kv := range in.Env {
		in.Env[i], _, _ = strings.Cut(kv, "=")
	}
	slices.Sort(in.Env)
	want := []string{"FROM_IMAGE", "FROM_WORKLOAD", "MODEL_PATH", "MODEL_VERSION", "PATH", "PORT", "SAMPLE_MODE", "SAMPLE_VERSION", "SLIPWAY_ENVIRONMENT", "SLIPWAY_RELEASE"}
	want = append(want, variables...)
	slices.Sort(want)
	if got := slices.DeleteFunc(in.Env, func(name string) bool { return name == "PWD" }); !slices.Equal(got, want) {
		t.Errorf("environment = %v, want %v", got, want)
	}
	if want := []string{"app", "dev", "etc", "model", "proc", "tmp"}; !slices.Equal(in.Root, want) {
		t.Errorf("root = %v, want %v", in.Root, want)
	}
	for path, allowed := range map[string]bool{"/tmp/x": true, "/dev/shm/x": true, "/dev/x": false, "/app/x": false, "/model/x": false, "/x": false, "/proc/sys/kernel/hostname": false} {
		said, err := fetch(seen.URL + "/write?path=" + path)
		if err != nil || strings.Contains(said, `u003cnil`) != allowed {
			t.Errorf("write %s: %s %v; allowed should be %v", path, said, err, allowed)
		}
	}
	if noted := strings.Contains(strings.Join(seen.Notes, "\n"), `sets user "root"`); noted != (user == "root") {
		t.Errorf("notes = %q for user %q", seen.Notes, user)
	}
}

// TestSupervisor_KilledIsRestored: no process is left after kill -9, and Up
// restores everything at the same address.
func TestSupervisor_KilledIsRestored(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			a, b := s.request(porttest.Sample{Version: "a"}), s.request(porttest.Sample{Version: "b"})
			url := s.deploy(t, a).URL
			if _, err := s.Stage(context.Background(), b, nil); err != nil {
				t.Fatal(err)
			}
			pids := replicaPIDs(t, s.cfg.Dir)
			if len(pids) < 4 {
				t.Fatalf("processes = %v, want four at least", pids)
			}
			if err := syscall.Kill(supervisorPID(t, s.cfg.Dir), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			requireExit(t, pids)
			seen, err := s.Observe(context.Background(), a.Service, a.Environment)
			if err != nil || seen.Release != "" || len(seen.Notes) != 1 {
				t.Errorf("observed release %q, notes %q, %v; want a note that nothing runs", seen.Release, seen.Notes, err)
			}
			if err := s.Restore(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := checkServing(url, a.ID)(); err != nil {
				t.Error(err)
			}
			seen, err = s.Promote(context.Background(), b, nil) // it was staged before the kill
			if err != nil || seen.Release != b.ID || seen.URL != url {
				t.Errorf("promoted %s at %s, %v; want %s at %s", seen.Release, seen.URL, err, b.ID, url)
			}
		})
	}
}

func TestDown_KeepsState(t *testing.T) {
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	url := s.deploy(t, a).URL
	if err := s.Down(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(url); err == nil {
		t.Error("it still answers")
	}
	if err := s.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := checkServing(url, a.ID)(); err != nil {
		t.Error(err)
	}
}

func TestSupervisor_ExitsWhenIdle(t *testing.T) {
	s := newTestTarget(t, nil)
	a := s.request(porttest.Sample{Version: "a"})
	s.deploy(t, a)
	pid := supervisorPID(t, s.cfg.Dir)
	if err := s.Remove(context.Background(), a.Service, a.Environment); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(raw), ") Z ") {
			return fmt.Errorf("supervisor %d lingers", pid)
		}
		return nil
	})
}

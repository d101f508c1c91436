//go:build linux

package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const secretValue = "hunter2-and-more"

// withSecret is a release whose service has the secret in a variable, and prints it.
func (s *testTarget) withSecret(version string) port.DeployRequest {
	o := s.request(porttest.Sample{Version: version})
	o.Release.Workload.Env["API_KEY"] = "${SLIPWAY_TEST_KEY}"
	o.Release.Workload.Env["SAMPLE_VERSION"] = version + " ${SLIPWAY_TEST_KEY}"
	return o
}

// TestSecrets: the service gets the value, and nothing else does.
func TestSecrets(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			t.Setenv("SLIPWAY_TEST_KEY", secretValue)
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			o := s.withSecret("a")
			o.Release.Workload.Env["SAMPLE_FIXED_LISTEN"], o.Release.Workload.Port = "8000", 8000
			url := s.deploy(t, o).URL
			if said, err := fetch(url + "/inside"); err != nil || !strings.Contains(said, "API_KEY="+secretValue) {
				t.Errorf("inside: %s, %v; want the value of API_KEY", said, err)
			}
			lines, err := s.ReplicaLogs(context.Background(), o.Service, o.Environment, 10)
			if said := strings.Join(lines, "\n"); err != nil || !strings.Contains(said, "sample a *** starts") {
				t.Errorf("logs = %s, %v; want the value masked", said, err)
			}
			requireNoFileWith(t, s.cfg.Dir, secretValue)
			cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range cmdlines {
				if raw, _ := os.ReadFile(file); strings.Contains(string(raw), secretValue) {
					t.Errorf("%s: the value is in a command line", file)
				}
			}
			requireSecretClosed(t, s.cfg.Dir)
			_, _ = fetch(url + "/exit?code=7") // the replica restarts
			eventually(t, checkServing(url, o.ID))
			requireSecretClosed(t, s.cfg.Dir)
		})
	}
}

// requireSecretClosed: neither the memory nor the environment of the supervisor and of
// what starts containers for it show the secret to another process of the same user.
func requireSecretClosed(t *testing.T, dir string) {
	t.Helper()
	supervisor := supervisorPID(t, dir)
	if os.Geteuid() != 0 { // who may read everything
		for _, name := range []string{"mem", "environ", "maps", "fd", "cwd"} {
			_, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", supervisor, name))
			if name != "fd" {
				_, err = os.Open(fmt.Sprintf("/proc/%d/%s", supervisor, name))
			}
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("/proc/%d/%s: %v, want it denied", supervisor, name, err)
			}
		}
		if err := syscall.PtraceAttach(supervisor); !errors.Is(err, syscall.EPERM) {
			t.Errorf("ptrace: %v, want %v", err, syscall.EPERM)
		}
	}
	launchers := 0
	for _, pid := range descendantsOf(supervisor) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if !strings.HasPrefix(string(line), "slipway\x00"+local.LaunchCommand) {
			continue
		}
		launchers++
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(environ), secretValue) {
			t.Errorf("environment of %q: %v, %q", line, err, environ)
		}
		if found, size, err := searchMemory(pid, secretValue); err != nil || found || size == 0 {
			t.Errorf("memory of %q, %d bytes: the value is there: %v, %v", line, size, found, err)
		}
	}
	if launchers < 2 { // the supervisor's, and the one in the network of each replica
		t.Errorf("%d processes start containers, want some of which the memory was read", launchers)
	}
}

// descendantsOf returns the processes that a process has started, directly or not.
func descendantsOf(pid int) (found []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		raw, _ := os.ReadFile(list) // it has exited
		for _, field := range strings.Fields(string(raw)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(append(found, child), descendantsOf(child)...)
			}
		}
	}
	return found
}

// searchMemory looks for a text in what a process may write to.
func searchMemory(pid int, text string) (found bool, size int, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, 0, err
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, 0, err
	}
	defer memory.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += 1 << 20 {
			part := make([]byte, min(to-at, 1<<20+int64(len(text))))
			n, _ := memory.ReadAt(part, at) // a part of the address space may have no memory
			size += n
			found = found || strings.Contains(string(part[:n]), text)
		}
	}
	return found, size, nil
}

func requireNoFileWith(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), text) {
			t.Errorf("%s contains the secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSecrets_Missing: a variable that is not set is named before anything is
// changed.
func TestSecrets_Missing(t *testing.T) {
	s := newTestTarget(t, nil)
	o := s.withSecret("a")
	_, staged := s.Stage(context.Background(), o, nil)
	for name, err := range map[string]error{"dry run": s.DryRun(context.Background(), o, nil), "stage": staged} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "SLIPWAY_TEST_KEY is not set") || fault.HintOf(err) == "" {
			t.Errorf("%s: error = %v, hint %q, want the variable", name, err, fault.HintOf(err))
		}
	}
}

// TestSecrets_AfterDeathOfSupervisor: the values were in its memory only, so they
// must be set again.
func TestSecrets_AfterDeathOfSupervisor(t *testing.T) {
	t.Setenv("SLIPWAY_TEST_KEY", secretValue)
	s := newTestTarget(t, nil)
	o := s.withSecret("a")
	url := s.deploy(t, o).URL
	s.killSupervisor(t)
	os.Unsetenv("SLIPWAY_TEST_KEY")
	err := s.Restore(context.Background())
	if err == nil || !strings.Contains(err.Error(), "SLIPWAY_TEST_KEY is not set") || !strings.Contains(fault.HintOf(err), "slipway up") {
		t.Errorf("error = %v, hint %q, want the variable and `slipway up`", err, fault.HintOf(err))
	}
	t.Setenv("SLIPWAY_TEST_KEY", secretValue)
	if err := s.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := checkServing(url, o.ID)(); err != nil {
		t.Error(err)
	}
}

// TestRestore_BrokenNeighbours: environments that can't start again keep no other one
// down, whatever their order.
func TestRestore_BrokenNeighbours(t *testing.T) {
	t.Setenv("SLIPWAY_TEST_KEY", secretValue)
	t.Setenv("SLIPWAY_TEST_OTHER", secretValue)
	s := newTestTarget(t, nil)
	for _, name := range []delivery.Environment{"a", "b", "y", "z"} {
		broken := s.request(porttest.Sample{Version: "broken"})
		broken.Environment = name
		broken.Release.Workload.Env["OTHER_KEY"] = "${SLIPWAY_TEST_OTHER}"
		s.deploy(t, broken)
	}
	o := s.withSecret("a")
	url := s.deploy(t, o).URL
	s.killSupervisor(t)
	os.Unsetenv("SLIPWAY_TEST_OTHER")
	err := s.Restore(context.Background())
	if err == nil || !strings.Contains(err.Error(), "start 4 environments") || !strings.Contains(err.Error(), "SLIPWAY_TEST_OTHER is not set") {
		t.Errorf("error = %v, want the four and why", err)
	}
	eventually(t, checkServing(url, o.ID))
}

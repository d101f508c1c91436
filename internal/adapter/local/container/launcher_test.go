//go:build linux

package container

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestMain makes the test binary the process of a Launcher.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == LaunchCommand {
		os.Exit(RunLauncher(os.Args[2:], os.Stderr))
	}
	os.Exit(m.Run())
}

func newTestLauncher(t *testing.T) *Launcher {
	t.Helper()
	l := NewLauncher(t.TempDir())
	t.Cleanup(l.Close)
	return l
}

// shell is a command of a shell, with its output and three more files.
func shell(script string, out *os.File, more ...*os.File) *exec.Cmd {
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"A=b"}, Dir: "/", ExtraFiles: more, SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if out != nil {
		cmd.Stdout, cmd.Stderr = out, out
	}
	return cmd
}

// TestStarter: both start a command with its files, and report how it ends.
func TestStarter(t *testing.T) {
	for name, s := range map[string]Starter{"in this process": NewSpawner(), "in another": newTestLauncher(t)} {
		t.Run(name, func(t *testing.T) {
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			given, gives, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			child, err := s.Start(shell(`pwd; echo "$A"; cat <&3; exit 3`, in, given))
			in.Close()
			given.Close()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(gives, "by a pipe")
			gives.Close()
			said, err := io.ReadAll(out) // it ends: nobody else has the other end
			if err != nil || string(said) != "/\nb\nby a pipe" {
				t.Errorf("it said %q, %v", said, err)
			}
			if status, err := child.Wait(); err != nil || status.ExitStatus() != 3 {
				t.Errorf("status = %v, %v, want exit code 3", status, err)
			}
			if err := errors.Join(child.Release(), child.Release()); err != nil {
				t.Error(err)
			}
			if _, err := s.Start(&exec.Cmd{Path: "/no/such/program", Args: []string{"x"}, Env: []string{}}); !errors.Is(err, syscall.ENOENT) {
				t.Errorf("error = %v, want it not found", err)
			}
			sleeps, err := s.Start(shell("exec sleep 60", nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := sleeps.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if status, err := sleeps.Wait(); err != nil || status.Signal() != syscall.SIGTERM {
				t.Errorf("status = %v, %v, want SIGTERM", status, err)
			}
		})
	}
}

// TestLauncher_Parallel: many at a time get their own results.
func TestLauncher_Parallel(t *testing.T) {
	l := newTestLauncher(t)
	var all sync.WaitGroup
	for code := range 40 {
		all.Go(func() {
			child, err := l.Start(shell("exit "+strconv.Itoa(code), nil))
			if err != nil {
				t.Error(err)
				return
			}
			if status, err := child.Wait(); err != nil || status.ExitStatus() != code {
				t.Errorf("status = %v, %v, want exit code %d", status, err, code)
			}
			_ = child.Release()
		})
	}
	all.Wait()
}

// TestLauncher_Killed: what it has started ends with it and is reported, it is started
// again by itself with the files that it shows, and the next start works.
func TestLauncher_Killed(t *testing.T) {
	l := newTestLauncher(t)
	shown, err := os.CreateTemp(t.TempDir(), "shown")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Hold("file", shown); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		child, err := l.Start(shell("exec sleep 60", nil))
		if err != nil {
			t.Fatal(err)
		}
		process := l.running(t)
		if err := syscall.Kill(process, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if status, err := child.Wait(); err != nil || status.Signal() != syscall.SIGKILL {
			t.Errorf("status = %v, %v, want SIGKILL", status, err)
		}
		if raw, err := os.ReadFile("/proc/" + strconv.Itoa(child.PID()) + "/stat"); err == nil && !strings.Contains(string(raw), ") Z ") {
			t.Errorf("what it started still runs: %s", raw)
		}
		deadline := time.Now().Add(10 * time.Second)
		for again := l.running(t); again == process || !holds(again, shown.Name()); again = l.running(t) {
			if time.Now().After(deadline) {
				t.Fatal("no new process shows the file")
			}
			time.Sleep(5 * time.Millisecond) // poll interval
		}
	}
}

// running returns the launcher's process; 0: none.
func (l *Launcher) running(t *testing.T) int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return 0
	}
	return l.current.child.PID()
}

func holds(pid int, path string) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if to, _ := os.Readlink(dir + "/" + f.Name()); to == path {
			return true
		}
	}
	return false
}

// TestLauncher_Hold: the next file takes the place of the one before.
func TestLauncher_Hold(t *testing.T) {
	l := newTestLauncher(t)
	var names []string
	for range 2 {
		f, err := os.CreateTemp(t.TempDir(), "shown")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Hold("file", f); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name())
	}
	if process := l.running(t); holds(process, names[0]) || !holds(process, names[1]) {
		t.Errorf("it holds the first: %v, the second: %v; want the second alone", holds(process, names[0]), holds(process, names[1]))
	}
}

// TestLauncher_EndsWithItsStarter: closed, it leaves nothing, and starts nothing more.
func TestLauncher_EndsWithItsStarter(t *testing.T) {
	l := newTestLauncher(t)
	child, err := l.Start(shell("exec sleep 60", nil))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if status, err := child.Wait(); err != nil || status.Signal() != syscall.SIGKILL {
		t.Errorf("status = %v, %v, want SIGKILL", status, err)
	}
	if _, err := l.Start(shell("true", nil)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("error = %v, want %s", err, fault.Unavailable)
	}
}

// TestLauncher_LongCommand: arguments beyond what one message holds are refused before
// anything starts, and nothing else is lost.
func TestLauncher_LongCommand(t *testing.T) {
	l := newTestLauncher(t)
	_, err := l.Start(shell(": "+strings.Repeat("x", maxLaunchMessage), nil))
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("error = %v, want %s with a hint", err, fault.Invalid)
	}
	child, err := l.Start(shell(": "+strings.Repeat("x", maxLaunchMessage/2), nil))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := child.Wait(); err != nil || status != 0 {
		t.Errorf("status = %v, %v, want success", status, err)
	}
	var said bytes.Buffer
	cmd := shell("true", nil)
	cmd.Stdout = &said
	if _, err := l.Start(cmd); err == nil {
		t.Error("an output that is no file was accepted")
	}
}

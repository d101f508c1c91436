package porttest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestCommands tests an adapter against the contract of port.Commands. Its grace period
// for commands that do not end should be below a second.
func TestCommands(t *testing.T, fresh func(t *testing.T) port.Commands) {
	t.Run("exits", func(t *testing.T) { testExits(t, fresh(t)) })
	t.Run("environment", func(t *testing.T) { testEnvironment(t, fresh(t)) })
	t.Run("output", func(t *testing.T) { testOutput(t, fresh(t)) })
	t.Run("timeout", func(t *testing.T) { testTimeout(t, fresh(t)) })
	t.Run("cancel", func(t *testing.T) { testCancel(t, fresh(t)) })
	t.Run("left behind", func(t *testing.T) { testLeftBehind(t, fresh(t)) })
	t.Run("many at once", func(t *testing.T) { testManyAtOnce(t, fresh(t)) })
}

func command(t *testing.T, run string) port.Command {
	return port.Command{Run: run, Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}}
}

func testExits(t *testing.T, c port.Commands) {
	for _, tc := range []struct {
		name, run string
		want      int
	}{
		{"success", "true", 0},
		{"failure", "exit 3", 3},
		{"shell killed", "kill -KILL $$", 137},
		{"command not found", "no-such-command-here", 127},
		{"child terminated", "sh -c 'kill -TERM $$'", 143},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := c.Run(t.Context(), command(t, tc.run), &out)
			if err != nil || got != (port.Exit{Code: tc.want}) {
				t.Errorf("%s: exit = %+v, error = %v, want code %d", tc.run, got, err, tc.want)
			}
		})
	}
	missing := command(t, "true")
	missing.Dir = filepath.Join(missing.Dir, "none")
	if _, err := c.Run(t.Context(), missing, &bytes.Buffer{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error without a working directory = %v, want kind %s", err, fault.Invalid)
	}
}

func testEnvironment(t *testing.T, c port.Commands) {
	t.Setenv("OF_THE_CALLER", "secret")
	cmd := command(t, "env; pwd")
	cmd.Env = append(cmd.Env, "OF_THE_COMMAND=x")
	var out bytes.Buffer
	if _, err := c.Run(t.Context(), cmd, &out); err != nil {
		t.Fatal(err)
	}
	s := out.String()
	if !strings.Contains(s, "OF_THE_COMMAND=x\n") || strings.Contains(s, "OF_THE_CALLER") || !strings.HasSuffix(strings.TrimSpace(s), filepath.Base(cmd.Dir)) {
		t.Errorf("environment and directory = %s, want OF_THE_COMMAND, no OF_THE_CALLER, and %s", s, cmd.Dir)
	}
	cmd.Env, cmd.Run = nil, "/usr/bin/env"
	out.Reset()
	if _, err := c.Run(t.Context(), cmd, &out); err != nil || strings.Contains(out.String(), "OF_THE_CALLER") {
		t.Errorf("empty environment: output = %s, error = %v, want no OF_THE_CALLER", out.String(), err)
	}
}

func testOutput(t *testing.T, c port.Commands) {
	var out bytes.Buffer
	if _, err := c.Run(t.Context(), command(t, "echo one; echo two >&2; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"), &out); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.HasPrefix(s, "one\ntwo\nxxx") || !strings.HasSuffix(s, "\nend\n") || len(s) != 3000000+len("one\ntwo\n\nend\n") {
		t.Errorf("output = %d bytes, want %d, stdout and stderr in order", len(s), 3000000+len("one\ntwo\n\nend\n"))
	}
	broken := errors.New("the disk of the log is full")
	if _, err := c.Run(t.Context(), command(t, "head -c 3000000 /dev/zero"), failing{broken}); !errors.Is(err, broken) {
		t.Errorf("error of a writer that fails = %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func testTimeout(t *testing.T, c port.Commands) {
	cmd := command(t, "trap '' TERM; sleep 300 & echo $! > pid; wait; sleep 300")
	cmd.Timeout = 300 * time.Millisecond
	start := time.Now()
	got, err := c.Run(t.Context(), cmd, &bytes.Buffer{})
	if err != nil || !got.TimedOut || got.Code == 0 {
		t.Errorf("exit = %+v, error = %v, want timed out with a code", got, err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("Run took %v, want less than 10s", took)
	}
	wantGone(t, cmd.Dir)
}

func testCancel(t *testing.T, c port.Commands) {
	stopped := errors.New("stopped by a person")
	for _, run := range []string{"sleep 300 & echo $! > pid; wait", "trap '' TERM; sleep 300 & echo $! > pid; wait; while :; do sleep 1; done", "(trap '' TERM; echo $$ >/dev/null; sleep 300) & echo $! > pid; exec sleep 300"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cmd := command(t, run)
		go func() {
			Await(t, "it runs", func() bool { b, err := os.ReadFile(filepath.Join(cmd.Dir, "pid")); return err == nil && len(b) > 1 })
			cancel(stopped)
		}()
		if _, err := c.Run(ctx, cmd, &bytes.Buffer{}); !errors.Is(err, stopped) {
			t.Errorf("%s: error = %v, want the context's cause", run, err)
		}
		wantGone(t, cmd.Dir)
		cmd.Run = "touch ran"
		if _, err := c.Run(ctx, cmd, &bytes.Buffer{}); !errors.Is(err, stopped) {
			t.Errorf("error after the end of the context = %v, want its cause", err)
		}
		if _, err := os.Stat(filepath.Join(cmd.Dir, "ran")); err == nil {
			t.Error("a command was started after the end of its context")
		}
	}
}

func testLeftBehind(t *testing.T, c port.Commands) {
	for name, run := range map[string]string{
		"keeps the pipe open":  "sleep 300 & echo $! > pid; echo done",
		"closes the pipe":      "sleep 300 >/dev/null 2>&1 & echo $! > pid; echo done",
		"writes and then ends": "(sleep 0.05; echo done) & echo $! > pid",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := command(t, run)
			start := time.Now()
			got, err := c.Run(t.Context(), cmd, &out)
			if err != nil || got.Code != 0 || out.String() != "done\n" {
				t.Errorf("exit = %+v, error = %v, output = %q, want code 0 and %q", got, err, out.String(), "done\n")
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("Run took %v, want less than 10s", took)
			}
			wantGone(t, cmd.Dir)
		})
	}
}

func testManyAtOnce(t *testing.T, c port.Commands) {
	var wait sync.WaitGroup
	for range 16 {
		cmd := command(t, "echo a; sleep 0.05; echo b")
		wait.Go(func() {
			var out bytes.Buffer
			if got, err := c.Run(t.Context(), cmd, &out); err != nil || got.Code != 0 || out.String() != "a\nb\n" {
				t.Errorf("exit = %+v, error = %v, output = %q, want code 0 and %q", got, err, out.String(), "a\nb\n")
			}
		})
	}
	wait.Wait()
}

func wantGone(t *testing.T, dir string) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	Await(t, "process "+string(pid)+" ends", func() bool { return !ProcessRunning(string(pid)) })
}

//go:build unix

package process_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/process/box"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/redact"
)

// TestMain lets the test's binary be a job's runner, and processes to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == box.Command {
		os.Exit(box.Run(os.Args[2:]))
	}
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "job-runner":
			os.Exit(process.RunJobProcess(os.Args[2:], hide))
		case "boxed":
			runBoxed(os.Args[2:])
		case "submit":
			submit(os.Args[2], os.Args[3])
		case "run":
			run(context.Background(), os.Args[2])
		case "run-locked":
			runLocked(os.Args[2], os.Args[3])
		}
	}
	os.Exit(m.Run())
}

func hide(secrets []string, w io.Writer) io.WriteCloser { return redact.New(secrets...).Writer(w) }

func jobs(dir string) *process.Jobs { return process.NewJobs(dir, os.Args[0], "job-runner") }

// submit submits a job, says so, and waits to be killed.
func submit(dir, command string) {
	_, err := jobs(dir).Submit(context.Background(), port.Job{Name: "j", Command: port.Command{Run: command, Dir: dir, Env: os.Environ()}})
	fmt.Println("submitted", err)
	select {}
}

// run runs a command until it is killed.
func run(ctx context.Context, command string) {
	_, err := process.NewCommands(process.Config{}).Run(ctx, port.Command{Run: command, Dir: "/", Env: os.Environ()}, os.Stdout)
	fmt.Println("ended", err)
	os.Exit(1)
}

// runLocked is run with a lock that the command inherits.
func runLocked(path, command string) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	if free, err := flock.Try(f); !free || err != nil {
		panic(fmt.Sprint("the lock is not free: ", err))
	}
	run(flock.Inherit(context.Background(), f), command)
}

func TestCommands(t *testing.T) {
	porttest.TestCommands(t, func(*testing.T) port.Commands {
		return process.NewCommands(process.Config{Grace: 300 * time.Millisecond, Drain: 2 * time.Second})
	})
}

func TestJobs(t *testing.T) {
	porttest.TestJobs(t, func(t *testing.T) func() port.Jobs {
		dir := t.TempDir()
		return func() port.Jobs { return jobs(dir) }
	})
}

// child starts this binary in another role and returns its first line.
func child(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestCommand_EndsWithKilledOwner kills the process that runs a command with kill -9: the
// command's own children go too.
func TestCommand_EndsWithKilledOwner(t *testing.T) {
	alive := filepath.Join(t.TempDir(), "alive")
	cmd, line := child(t, "run", "(trap '' TERM; while :; do date +%N > "+alive+"; sleep 0.02; done) & echo $!; wait")
	porttest.Await(t, "the grandchild runs", func() bool { _, err := os.Stat(alive); return err == nil })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	porttest.Await(t, "grandchild "+line+" ends", func() bool { return !porttest.ProcessRunning(line) })
}

// TestCommand_LockOutlivesKilledOwner: whoever gets the lock of a killed process
// meets none of its commands, not even one that does not heed SIGTERM. A daemon
// that left the command's group does not keep it.
func TestCommand_LockOutlivesKilledOwner(t *testing.T) {
	dir := t.TempDir()
	path, daemon := filepath.Join(dir, "lock"), filepath.Join(dir, "daemon")
	cmd, line := child(t, "run-locked", path, "setsid sh -c 'echo $$ > "+daemon+"; exec sleep 300' & (trap '' TERM; while :; do sleep 0.02; done) & echo $!; wait")
	escaped := pidIn(t, daemon)
	t.Cleanup(func() { kill(t, escaped) })
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if free, err := flock.Try(f); free || err != nil {
		t.Fatalf("its owner lives, and the lock is free: %v, %v", free, err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !porttest.ProcessRunning(line) {
		t.Fatal("the command was to outlive its owner for a moment")
	}
	if err := flock.LockFile(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
	if porttest.ProcessRunning(line) {
		t.Errorf("process %s of the killed owner still runs, and its lock is free", line)
	}
}

// TestJob_OutlivesSubmitter kills the submitter with kill -9.
func TestJob_OutlivesSubmitter(t *testing.T) {
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	cmd, line := child(t, "submit", dir, "echo begun; while [ ! -e "+gate+" ]; do sleep 0.02; done; echo done; exit 7")
	if line != "submitted <nil>" {
		t.Fatal(line)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	j := jobs(dir)
	if s, err := j.Poll(t.Context(), "j"); err != nil || !s.Found || s.Done {
		t.Fatalf("after kill -9 of the submitter: %+v, %v", s, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := porttest.AwaitJob(t, j, "j")
	log := porttest.JobLog(t, j, "j", 0)
	if s.Exit.Code != 7 || s.Reason != "" || log != "begun\ndone\n" {
		t.Errorf("ended with %+v, log %q; want exit code 7 and both lines", s, log)
	}
}

// TestJob_RunnerKilled kills a job's runner with kill -9; the job is over then, and
// what it had started is gone.
func TestJob_RunnerKilled(t *testing.T) {
	for _, act := range []string{"poll", "stop"} {
		t.Run(act, func(t *testing.T) {
			dir := t.TempDir()
			j := jobs(dir)
			pids := filepath.Join(dir, "pids")
			_, err := j.Submit(t.Context(), port.Job{Name: "j", Command: port.Command{Dir: dir, Env: os.Environ(),
				Run: "echo $PPID > runner; (sleep 300 & echo $! > " + pids + "; wait) & setsid sh -c 'echo $$ > escaped; exec sleep 300' & wait"}})
			if err != nil {
				t.Fatal(err)
			}
			runner, grandchild, escaped := pidIn(t, filepath.Join(dir, "runner")), pidIn(t, pids), pidIn(t, filepath.Join(dir, "escaped"))
			kill(t, runner)
			if act == "stop" {
				if err := j.Stop(t.Context(), "j"); err != nil {
					t.Fatal(err)
				}
			}
			s := porttest.AwaitJob(t, j, "j")
			if s.Reason == "" || s.Exit.Code == 0 {
				t.Errorf("%+v: it does not say why", s)
			}
			for _, pid := range []string{grandchild, escaped} {
				if porttest.ProcessRunning(pid) {
					t.Errorf("process %s is still there", pid)
				}
			}
			if _, err := j.Submit(t.Context(), port.Job{Name: "j", Command: port.Command{Dir: dir, Run: "touch again"}}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "again")); err == nil {
				t.Error("it was started a second time")
			}
		})
	}
}

// TestJob_AfterReboot finds a job that another boot of the machine had started.
func TestJob_AfterReboot(t *testing.T) {
	dir := t.TempDir()
	j := jobs(dir)
	if _, err := j.Submit(t.Context(), port.Job{Name: "j", Command: port.Command{Dir: dir, Env: os.Environ(), Run: "echo $PPID > runner; sleep 300"}}); err != nil {
		t.Fatal(err)
	}
	kill(t, pidIn(t, filepath.Join(dir, "runner")))
	// This very process has the ID now, as far as the file tells: it must not be ended.
	if err := os.WriteFile(filepath.Join(dir, "j", "started.json"), []byte(fmt.Sprintf(`{"pid":%d,"since":1,"boot":"another"}`, os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	s := porttest.AwaitJob(t, j, "j")
	if !strings.Contains(s.Reason, "machine went down") {
		t.Errorf("%+v", s)
	}
}

// TestJob_WritesNoEnvironment looks for the environment in all files.
func TestJob_WritesNoEnvironment(t *testing.T) {
	dir := t.TempDir()
	j := jobs(dir)
	if _, err := j.Submit(t.Context(), port.Job{Name: "j", Command: port.Command{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "TOKEN=s3cret"}, Run: `test ${#TOKEN} = 6`}}); err != nil {
		t.Fatal(err)
	}
	if s := porttest.AwaitJob(t, j, "j"); s.Exit.Code != 0 {
		t.Errorf("the command did not get its environment: %+v", s)
	}
	files, err := filepath.Glob(filepath.Join(dir, "j", "*"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(b), "s3cret") {
			t.Errorf("%s: %q, %v", file, b, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v: others may read it", file, info.Mode(), err)
		}
	}
}

// TestJob_MasksSecretsInLog lets a job print its environment.
func TestJob_MasksSecretsInLog(t *testing.T) {
	dir := t.TempDir()
	j := jobs(dir)
	j.Secret = func(value string) bool { return value == "hunter2-hunter2" }
	env := append(os.Environ(), "INNOCENT_NAME=hunter2-hunter2", "PLAIN=plain-enough")
	_, err := j.Submit(t.Context(), port.Job{Name: "loud", Command: port.Command{Run: `printf %s "$PLAIN"; echo; echo "it is $INNOCENT_NAME"; env; printf %s "$INNOCENT_NAME"`, Dir: dir, Env: env}})
	if err != nil {
		t.Fatal(err)
	}
	state := porttest.AwaitJob(t, j, "loud")
	if state.Exit.Code != 0 {
		t.Fatalf("ended with %+v, want exit code 0", state)
	}
	if s := porttest.JobLog(t, j, "loud", 0); strings.Contains(s, "hunter2") || !strings.Contains(s, "plain-enough\nit is ***\n") || !strings.HasSuffix(s, "***") {
		t.Errorf("the log says %q", s)
	}
}

func TestRunner_RefusesOtherCallers(t *testing.T) {
	out, err := exec.Command(os.Args[0], "job-runner", t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "internal to Slipway") {
		t.Errorf("%s, %v", out, err)
	}
}

func pidIn(t *testing.T, file string) (pid string) {
	t.Helper()
	porttest.Await(t, file, func() bool {
		b, err := os.ReadFile(file)
		pid = strings.TrimSpace(string(b))
		return err == nil && strings.HasSuffix(string(b), "\n")
	})
	return pid
}

func kill(t *testing.T, pid string) {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil || n < 2 {
		t.Fatal(pid, err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	porttest.Await(t, "runner "+pid+" is gone", func() bool { return !porttest.ProcessRunning(pid) })
}

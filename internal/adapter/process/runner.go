package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// RunJobProcess is the whole program of a job's runner, which NewJobs starts: args are
// what follows the hidden command's name, the job's folder. mask hides secrets,
// given as their values, in what the command prints. It returns the exit code for
// the process. It runs a job at most once, whatever happens to it.
func RunJobProcess(args []string, mask func(secrets []string, w io.Writer) io.WriteCloser) int {
	submitter := os.NewFile(3, "submitter")
	if len(args) != 1 || submitter == nil || os.Getenv(marker) != args[0] {
		fmt.Fprintln(os.Stderr, "this command is for Slipway itself: it runs a job that was submitted")
		return 2
	}
	folder := args[0]
	syscall.CloseOnExec(3) // the command must not hold the submitter up
	s, claim, err := take(folder)
	if err != nil {
		fmt.Fprintln(submitter, err)
		submitter.Close()
		return 1
	}
	fmt.Fprintln(submitter, readyWord)
	submitter.Close()
	if claim == nil {
		return 0
	}
	defer claim.Close()
	if err := writeJSON(folder, statusFile, logged(folder, s, mask)); err != nil {
		fmt.Fprintf(os.Stderr, "the job's end could not be written down: %v\n", err)
		return 1
	}
	return 0
}

// take makes this process the job's runner; claim is nil when it has, or had,
// another one. The lock goes with the process, and no child inherits it.
func take(folder string) (s spec, claim *os.File, err error) {
	if ok, err := readJSON(folder, specFile, &s); err != nil || !ok {
		return s, nil, errors.Join(err, errors.New("the job's folder has no "+specFile))
	}
	claim, err = os.OpenFile(filepath.Join(folder, claimLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return s, nil, err
	}
	free, err := flock.Try(claim)
	if err != nil || !free || exists(folder, startedFile) {
		claim.Close()
		return s, nil, err
	}
	pid := os.Getpid()
	me := started{PID: pid, Since: startTime(pid), Boot: bootID()}
	if err := writeJSON(folder, startedFile, me); err != nil {
		claim.Close()
		return s, nil, err
	}
	return s, claim, nil
}

// logged runs the command to its end, with its secrets kept out of the log.
func logged(folder string, s spec, mask func([]string, io.Writer) io.WriteCloser) status {
	var secrets []string
	for _, name := range strings.Split(os.Getenv(secretNames), ",") {
		secrets = append(secrets, os.Getenv(name))
	}
	out := mask(secrets, os.Stdout)
	end := perform(folder, s, out)
	if err := out.Close(); err != nil && end.Reason == "" {
		end.Reason = "the end of its log was lost: " + err.Error()
	}
	return end
}

// perform runs the command to its end.
func perform(folder string, s spec, log io.Writer) status {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	exit, err := NewCommands(Config{}).Run(ctx, port.Command{Run: s.Run, Dir: s.Dir, Env: environment(), Timeout: s.Timeout}, log)
	// What left the group, but not the job, goes with it.
	left := endAll(context.Background(), folder, started{}, time.Second)
	out := status{Exit: exit, Ended: time.Now().UTC()}
	switch {
	case ctx.Err() != nil && exists(folder, stopFile):
		out.Exit, out.Reason = port.Exit{Code: 128 + int(syscall.SIGTERM)}, stoppedReason
	case ctx.Err() != nil:
		out.Exit, out.Reason = port.Exit{Code: 128 + int(syscall.SIGTERM)}, "its runner was asked to end (SIGTERM)"
	case err != nil:
		out.Exit, out.Reason = port.Exit{Code: 127}, err.Error()
	case exit.TimedOut:
		out.Reason = fmt.Sprintf("it took longer than %s", s.Timeout)
	case left != nil:
		out.Reason = left.Error()
	}
	return out
}

// environment is the job's: this process has it, and only it.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "=") || strings.HasPrefix(kv, secretNames+"=") })
}

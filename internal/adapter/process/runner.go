package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/logcap"
	"github.com/slipway-cd/slipway/internal/port"
)

// RunJobProcess is the whole program of a job's runner, which NewJobs starts: args are
// what follows the hidden command's name, the job's folder. mask hides secrets,
// given as their values, in what the command prints. It returns the exit code for
// the process. It runs a job at most once, whatever happens to it.
func RunJobProcess(args []string, mask func(secrets []string, w io.Writer) io.WriteCloser) int {
	submitter := os.NewFile(3, "submitter")
	if len(args) != 1 || submitter == nil || os.Getenv(jobVariable) != args[0] {
		fmt.Fprintln(os.Stderr, "this command is internal to Slipway: it runs a submitted job")
		return 2
	}
	folder := args[0]
	syscall.CloseOnExec(3) // the command must not keep the submitter waiting
	var environment jobEnvironment
	if err := json.NewDecoder(io.LimitReader(os.Stdin, maxJobEnvironment)).Decode(&environment); err != nil {
		fmt.Fprintln(submitter, "read the job's environment:", err)
		submitter.Close()
		return 1
	}
	os.Stdin.Close()
	s, claim, err := claimJob(folder)
	if err != nil {
		fmt.Fprintln(submitter, err)
		submitter.Close()
		return 1
	}
	fmt.Fprintln(submitter, readyReply)
	submitter.Close()
	if claim == nil {
		return 0
	}
	defer claim.Close()
	if err := writeJSON(folder, statusFile, runMasked(folder, s, environment, mask)); err != nil {
		fmt.Fprintf(os.Stderr, "record the end of the job: %v\n", err)
		return 1
	}
	return 0
}

// claimJob makes this process the job's runner; claim is nil when it has, or had,
// another one. The lock goes with the process, and no child inherits it.
func claimJob(folder string) (s jobSpec, claim *os.File, err error) {
	if ok, err := readJSON(folder, specFile, &s); err != nil || !ok {
		return s, nil, errors.Join(err, errors.New("the job's folder does not contain "+specFile))
	}
	claim, err = os.OpenFile(filepath.Join(folder, claimLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return s, nil, err
	}
	free, err := flock.Try(claim)
	if err != nil || !free || fileExists(folder, startedFile) {
		claim.Close()
		return s, nil, err
	}
	pid := os.Getpid()
	runner := startRecord{PID: pid, Since: startTime(pid), Boot: bootID()}
	if err := writeJSON(folder, startedFile, runner); err != nil {
		claim.Close()
		return s, nil, err
	}
	return s, claim, nil
}

// maxJobLog is how much of a job's log is kept besides its end, in bytes. All of that fits
// into the log of a step.
const maxJobLog = 60 << 20

// runMasked runs the command to its end, with its secrets kept out of the log.
func runMasked(folder string, s jobSpec, environment jobEnvironment, mask func([]string, io.Writer) io.WriteCloser) endRecord {
	log := logcap.New(os.Stdout, maxJobLog)
	out := mask(environment.values(), log)
	end := runJob(folder, s, environment.Env, out)
	if err := errors.Join(out.Close(), log.Close()); err != nil && end.Reason == "" {
		end.Reason = "the end of its log was lost: " + err.Error()
	}
	return end
}

// runJob runs the command to its end.
func runJob(folder string, s jobSpec, env []string, log io.Writer) endRecord {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	command := port.Command{Run: s.Run, Dir: s.Dir, Env: append(slices.Clone(env), jobVariable+"="+folder), Timeout: s.Timeout, Box: s.Box}
	exit, err := NewCommands(Config{Hide: s.Hide}).Run(ctx, command, log)
	// Processes that left the group, but not the job, end with it.
	leftErr := endProcesses(context.Background(), folder, startRecord{}, time.Second)
	out := endRecord{Exit: exit, Ended: time.Now().UTC()}
	switch {
	case ctx.Err() != nil && fileExists(folder, stopFile):
		out.Exit, out.Reason = port.Exit{Code: 128 + int(syscall.SIGTERM)}, stoppedReason
	case ctx.Err() != nil:
		out.Exit, out.Reason = port.Exit{Code: 128 + int(syscall.SIGTERM)}, "its runner was asked to end (SIGTERM)"
	case err != nil:
		out.Exit, out.Reason = port.Exit{Code: 127}, err.Error()
	case exit.TimedOut:
		out.Reason = fmt.Sprintf("it took longer than %s", s.Timeout)
	case leftErr != nil:
		out.Reason = leftErr.Error()
	}
	return out
}

package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// How often a job is polled: quickly at first, for short ones.
const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = 200 * time.Millisecond
	stopTime  = 30 * time.Second
)

// Runner runs heavy work.
type Runner struct {
	Jobs  port.Jobs
	Clock step.Clock
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// Name is the job's name for this attempt of this step of this run.
func Name(r step.Request) string {
	return unsafeName.ReplaceAllString(fmt.Sprintf("%s-%s-%d", r.Run, r.Spec.Name, r.Attempt), "-")
}

// OutputDir is the folder that this attempt's job fills. It is emptied only before
// the job is submitted for the first time.
func OutputDir(r step.Request) string {
	return filepath.Join(r.WorkDir, "output-"+strconv.Itoa(r.Attempt))
}

// Run finds the job or submits it, waits for its end, and copies its output to
// log while it grows. The Exit is the command's; a job that ended for another
// reason is an error of kind fault.Unavailable. When ctx ends, the job is stopped
// and the error is the context's cause.
func (n Runner) Run(ctx context.Context, j port.Job, log io.Writer) (port.Exit, error) {
	state, err := n.Jobs.Poll(ctx, j.Name)
	if err == nil && !state.Found {
		err = n.submit(ctx, j)
	}
	if err != nil {
		return port.Exit{}, n.stopped(ctx, j, err)
	}
	tail := &tail{to: log}
	defer tail.Close()
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		if state, err = n.Jobs.Poll(ctx, j.Name); err != nil {
			return port.Exit{}, n.stopped(ctx, j, fmt.Errorf("look for job %s: %w", j.Name, err))
		}
		tail.follow(state.Log)
		if state.Done {
			return ended(j, state)
		}
		if !state.Found {
			return port.Exit{}, fault.New(fault.Unavailable, "job %s is gone", j.Name).Hint("run again: it starts anew")
		}
		if err := n.Clock.Wait(ctx, wait); err != nil {
			return port.Exit{}, n.stopped(ctx, j, err)
		}
	}
}

func (n Runner) submit(ctx context.Context, j port.Job) error {
	// What an earlier, unknown job left must not pass for this one's output.
	if err := os.RemoveAll(j.Output); err != nil {
		return fmt.Errorf("empty %s: %w", j.Output, err)
	}
	if err := os.MkdirAll(j.Output, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", j.Output, err)
	}
	if err := n.Jobs.Submit(ctx, j); err != nil {
		return fmt.Errorf("submit job %s: %w", j.Name, err)
	}
	return nil
}

func ended(j port.Job, s port.JobState) (port.Exit, error) {
	if s.Reason != "" && !s.Exit.TimedOut {
		return s.Exit, fault.New(fault.Unavailable, "job %s ended early: %s", j.Name, s.Reason).Hint("run again")
	}
	return s.Exit, nil
}

// stopped ends the job if the run has ended; err is the trouble otherwise.
func (n Runner) stopped(ctx context.Context, j port.Job, err error) error {
	if ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	cause := context.Cause(ctx)
	if err := n.Jobs.Stop(last, j.Name); err != nil {
		return errors.Join(cause, fmt.Errorf("stop job %s: %w", j.Name, err))
	}
	return cause
}

// tail copies a growing file. Trouble with the log is no trouble of the job.
type tail struct {
	to   io.Writer
	file *os.File
}

func (t *tail) follow(path string) {
	if t.to == nil || path == "" {
		return
	}
	if t.file == nil {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		t.file = f
	}
	_, _ = io.Copy(t.to, t.file)
}

func (t *tail) Close() {
	if t.file != nil {
		t.file.Close()
	}
}

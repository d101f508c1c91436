package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often a job is polled: quickly at first, for short ones.
const (
	minPollInterval = 50 * time.Millisecond
	maxPollInterval = 200 * time.Millisecond
	stopTimeout     = 30 * time.Second
	usageTimeout    = 10 * time.Second // for what a job used that was stopped
)

// Runner runs commands as jobs.
type Runner struct {
	Jobs port.Jobs
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// Name is the job's name for this attempt of this step of this run.
func Name(r step.Request) string {
	return unsafeName.ReplaceAllString(fmt.Sprintf("%s-%s-%d", r.Run, r.Spec.Name, r.Attempt), "-")
}

// OutputDir is the folder where the output of this attempt's job is stored.
func OutputDir(r step.Request) string {
	return filepath.Join(r.WorkDir, "output-"+strconv.Itoa(r.Attempt))
}

// RunnerOn returns what runs the commands of a step: what find returns, or here if the
// step names none.
func RunnerOn(on *step.RunnerParams, here port.Jobs, find func(step.RunnerParams) (port.Jobs, error)) (port.Jobs, error) {
	if on == nil {
		return here, nil
	}
	if find == nil {
		return nil, fault.New(fault.Internal, "run jobs on %s: no such job runner is wired", on.Kind)
	}
	return find(*on)
}

// Result is how a job ended.
type Result struct {
	Exit    port.Exit
	Outputs map[string]port.Artifact // by name
	Image   string                   // that the command ran in, by digest
	Begun   bool                     // there is, or may be, a job; also beside an error
	Usage   *delivery.JobUsage       // what it used of machines that are paid for; nil: not known; also beside an error
}

// Run finds the job or submits it, waits for its end, and copies its output to
// log while it grows. The Exit is the command's; a job that ended for another
// reason is an error of kind fault.Unavailable. When ctx ends, the job is stopped
// and the error is the context's cause.
func (n Runner) Run(ctx context.Context, j port.Job, log io.Writer) (Result, error) {
	h, err := n.Jobs.Submit(ctx, j)
	if err != nil {
		return Result{Begun: h != ""}, n.stop(ctx, h, err)
	}
	tail := &logTail{jobs: n.Jobs, job: h, to: log}
	for pause := minPollInterval; ; pause = min(pause*3/2, maxPollInterval) {
		state, err := n.Jobs.Poll(ctx, h)
		if err != nil {
			return n.ended(ctx, h, state.Usage, err)
		}
		tail.follow(ctx)
		if state.Done {
			return exitOf(j, state)
		}
		if !state.Found {
			return Result{Begun: true}, fault.New(fault.Unavailable, "job %s not found", j.Name).Hint("run again: it starts a new job")
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return n.ended(ctx, h, nil, err)
		}
	}
}

// ended is the result of a job that failed, or that is stopped because the run ends.
func (n Runner) ended(ctx context.Context, h port.JobHandle, used *delivery.JobUsage, err error) (Result, error) {
	err = n.stop(ctx, h, err)
	if used == nil && ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), usageTimeout)
		defer cancel()
		if state, pollErr := n.Jobs.Poll(last, h); pollErr == nil {
			used = state.Usage
		}
	}
	return Result{Begun: true, Usage: used}, err
}

func exitOf(j port.Job, s port.JobState) (Result, error) {
	res := Result{Exit: s.Exit, Image: s.Image, Begun: true, Usage: s.Usage, Outputs: map[string]port.Artifact{}}
	for name, uri := range j.Outputs {
		res.Outputs[name] = port.Artifact{URIs: []string{uri}}
	}
	maps.Copy(res.Outputs, s.Outputs)
	if s.Reason != "" && !s.Exit.TimedOut {
		return res, fault.New(fault.Unavailable, "job %s ended early: %s", j.Name, s.Reason).Hint("run again")
	}
	return res, nil
}

// stop ends the job if the run has ended; err is the error otherwise.
func (n Runner) stop(ctx context.Context, h port.JobHandle, err error) error {
	if ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	cause := context.Cause(ctx)
	if h == "" {
		return cause
	}
	if err := n.Jobs.Stop(last, h); err != nil {
		return errors.Join(cause, fmt.Errorf("stop job %s: %w", h, err))
	}
	return cause
}

// logTail copies a growing log. A log that cannot be read does not fail the job.
type logTail struct {
	jobs   port.Jobs
	job    port.JobHandle
	to     io.Writer
	offset int64
}

func (t *logTail) follow(ctx context.Context) {
	if t.to == nil {
		return
	}
	log, err := t.jobs.Log(ctx, t.job, t.offset)
	if err != nil {
		return
	}
	defer log.Close()
	n, _ := io.Copy(t.to, log)
	t.offset += n
}

// Paths returns where the output of that name is on this machine.
func (r Result) Paths(output string) ([]string, error) {
	return r.Outputs[output].Paths()
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/scratch"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Poll returns the job's state. AWS is asked once in an interval, less often while it
// throttles, and what it said last counts meanwhile. When the job has completed, its
// outputs are fetched once.
func (j *Jobs) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	name, err := awsName(h)
	if err != nil {
		return port.JobState{}, err
	}
	own := j.local(h)
	if !own.mu.TryLock() { // another goroutine looks
		if ctx.Err() != nil {
			return port.JobState{}, fmt.Errorf("look up the job %s: %w", name, context.Cause(ctx))
		}
		if err := wait.Sleep(ctx, min(j.interval, time.Second)); err != nil {
			return port.JobState{}, fmt.Errorf("look up the job %s: %w", name, err)
		}
		return j.Poll(ctx, h)
	}
	defer own.mu.Unlock()
	if own.last.Done || !own.looked.IsZero() && j.clock().Sub(own.looked) < own.pause {
		return own.last, nil
	}
	c, err := j.connect(ctx)
	if err != nil {
		return port.JobState{}, err
	}
	state, err := j.pollNow(ctx, c, own, name)
	own.looked = j.clock()
	if err != nil {
		last, err := own.afterFailure(ctx, j, err)
		if err != nil {
			last.Usage = state.Usage
		}
		return last, err
	}
	own.pause, own.failed = j.interval, time.Time{}
	own.last = state
	return state, nil
}

// afterFailure waits while AWS throttles or is away: the job goes on without us.
func (own *localJob) afterFailure(ctx context.Context, j *Jobs, err error) (port.JobState, error) {
	if !fault.Is(err, fault.Unavailable) || ctx.Err() != nil || own.spec == nil {
		return port.JobState{}, err
	}
	if own.failed.IsZero() {
		own.failed = own.looked
	}
	if own.looked.Sub(own.failed) > maxPatience {
		return port.JobState{}, err
	}
	own.pause = min(2*max(own.pause, j.interval), maxPause)
	own.log.note("waiting for AWS: %v", err)
	return own.last, nil
}

func (j *Jobs) pollNow(ctx context.Context, c *connection, own *localJob, name string) (port.JobState, error) {
	forms := []form{trainingForm, processingForm}
	if own.spec != nil {
		forms = []form{formOf(*own.spec)}
	}
	var state port.JobState
	err := oneOf(forms, func(f form) (look, error) { return j.look(ctx, c, name, f) }, func(f form, l look) (err error) {
		own.log.follow(ctx, c, f, name)
		state, err = j.state(ctx, c, own, name, f, l)
		return err
	})
	return state, err
}

func (j *Jobs) state(ctx context.Context, c *connection, own *localJob, name string, f form, l look) (port.JobState, error) {
	state := port.JobState{Found: true, Image: byDigest(l.image)}
	switch {
	case l.status == inProgress, l.status == stopping && l.secondary == maxRuntimeExceeded:
		own.log.note("%s", strings.TrimSuffix("SageMaker: "+l.status+", "+l.secondary, ", "))
		return state, nil
	case l.status == failed && strings.Contains(l.reason, "CapacityError"):
		state.Usage = l.used(j.clock())
		return state, j.infrastructure(name, l)
	}
	state.Done, state.Usage = true, l.used(j.clock())
	if l.status != stopping {
		j.readToEnd(ctx, c, own, f, name)
		own.log.note("%s", j.usage(*state.Usage))
	}
	code, found := l.exitCode()
	switch {
	case l.status == completed:
		return j.fetched(ctx, c, own, f, l, name, state)
	case l.status == failed && l.isCommands() && found:
		state.Exit.Code = code
		return state, nil
	case l.status == failed:
		return port.JobState{Usage: state.Usage}, j.infrastructure(name, l)
	case l.secondary == maxRuntimeExceeded, l.secondary == "MaxWaitTimeExceeded":
		state.Exit, state.Reason = port.Exit{Code: 128 + 15, TimedOut: true}, "timed out: "+l.secondary
		return state, nil
	}
	state.Exit.Code, state.Reason = 128+15, "stopped"
	return state, nil
}

// readToEnd reads what CloudWatch shows a while after it was printed.
func (j *Jobs) readToEnd(ctx context.Context, c *connection, own *localJob, f form, name string) {
	quiet := 0
	for range maxLateReads {
		if quiet++; own.log.follow(ctx, c, f, name) {
			quiet = 0
		}
		if quiet == 2 || wait.Sleep(ctx, min(j.interval, time.Second)) != nil {
			return
		}
	}
}

// maxLateReads bounds how often the log of a job that has ended is read on.
const maxLateReads = 15

func byDigest(image string) string {
	if strings.Contains(image, "@sha256:") {
		return image
	}
	return ""
}

// fetched fetches the outputs of a job that completed.
func (j *Jobs) fetched(ctx context.Context, c *connection, own *localJob, f form, l look, name string, state port.JobState) (port.JobState, error) {
	if own.spec == nil {
		return state, nil // whoever submitted it fetches them
	}
	state.Outputs = map[string]port.Artifact{}
	for output, uri := range own.spec.Outputs {
		dir, err := port.FilePath(uri)
		if err == nil {
			err = j.fetch(ctx, c, f, l, name, output, dir)
		}
		if err != nil {
			return port.JobState{Usage: state.Usage}, err
		}
		state.Outputs[output] = port.Artifact{URIs: []string{uri}}
	}
	return state, nil
}

// fetch fetches an output into a folder beside its place, and moves it there when it is
// complete.
func (j *Jobs) fetch(ctx context.Context, c *connection, f form, l look, name, output, dir string) (err error) {
	act := "fetch the output " + output + " of the job " + name
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	tmp, err := scratch.New(filepath.Dir(dir), ".fetch-", time.Now())
	if err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	partial := tmp.Files()
	if f.training {
		at, parseErr := s3.Parse(l.artifact)
		if parseErr != nil {
			return fmt.Errorf("%s: %w", act, parseErr)
		}
		_, err = c.objects.Unpack(ctx, at, partial)
	} else {
		folder := j.object("jobs/"+name+"/output", output)
		folder.Key += "/" // "metrics" is also where "metrics2" begins
		err = c.objects.Download(ctx, folder, partial)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Chmod(partial, 0o755), os.Rename(partial, dir)); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return nil
}

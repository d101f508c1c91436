// Package engine runs plans durably: in order and in parallel, with retries,
// timeouts and a cache, surviving kill -9, and undoing what must be undone when
// a run fails or is stopped. Runs of one environment happen one after another,
// in the order in which they were asked for.
package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Engine runs plans. Runs, Steps and Home are required; everything else has a
// useful zero value. It is safe for concurrent use once its fields are set.
type Engine struct {
	Runs       record.Runs
	Cache      record.Cache    // nil: nothing is cached
	Files      record.RunFiles // where other machines read what runs print; nil: nowhere
	Blobs      port.Blobs      // for the files of results, which other machines need; nil: no other machine
	Steps      map[step.Kind]step.Step
	Source     port.Source
	Sink       event.Sink    // nil: events are dropped
	Owners     record.Owners // of runs that several machines can reach; nil: this machine alone
	Machine    string        // tells this machine from others; required with Owners
	Home       string        // absolute state folder
	CacheDir   string        // absolute folder of the project's caches; default Home/cache
	Repository string        // absolute folder where slipway.yaml is
	Database   string        // journal of unfinished runs; default Home/engine.db
	Parallel   int           // steps at once; default the CPUs, at least 2
	Clock      func() time.Time
	Redactor   *redact.Redactor // removes secrets from all that is printed and kept; nil: nothing to remove
	// Announce is given the end of a run before it is recorded, under the claim on the
	// run: what is stored by then is there even if this process dies. Whoever takes the
	// run over then announces the same end again. nil: no one wants to know.
	Announce   func(ctx context.Context, run record.Run, e event.Event)
	ReportDead bool // a run behind one that another machine left unfinished ends, instead of finishing it
	PID        int  // of this process, for people
	Host       string

	Grace        time.Duration  // for steps that run when another fails; default 2s, negative: none
	UndoTimeout  time.Duration  // for taking back one step; default 30m
	OwnerTimeout time.Duration  // after which another machine's owner that says nothing is replaced; default 1m
	Backoff      time.Duration  // before the first retry, doubled for each further one; default 1s
	Jitter       func() float64 // 0 to 1, spreads retries; default random
	Failpoint    func(point string)
}

// ErrSuspend is a cause for cancelling the context of Run or Resume: the run is
// left unfinished, as kill -9 would, for a later Resume. Any other cause stops
// the run and undoes what it began.
var ErrSuspend = errors.New("left for later")

// Run queues the plan, waits for its turn, and runs it. It returns the run as it
// ended, or as it waits for a person. An error means that the run could not be
// kept going; it can be resumed. What a failed step says is not an error.
func (e *Engine) Run(ctx context.Context, p plan.Plan) (record.Run, error) {
	if err := e.check(p); err != nil {
		return record.Run{}, err
	}
	ctx, own, err := e.ownRun(ctx, p.Run, (*owner).takeNew)
	if err != nil {
		return record.Run{}, err
	}
	defer own.release()
	p.Steps = e.places().PortableSpecs(p.Steps)
	run, err := e.Runs.Enqueue(ctx, record.Run{Plan: p, RunSummary: record.RunSummary{
		ID: p.Run, Environment: p.Environment, By: p.Trigger.StartedBy(), PID: e.PID, Host: e.Host, CreatedAt: e.now(),
	}})
	if err != nil {
		return record.Run{}, err
	}
	e.failpoint("queued")
	return e.runLoop(ctx, run)
}

// Resume finishes a run whose process is gone, or continues one that waits. One
// that has ended is returned as it is; one that another process runs is
// fault.Conflict.
func (e *Engine) Resume(ctx context.Context, id delivery.RunID) (record.Run, error) {
	run, err := e.Runs.Get(ctx, id)
	if err != nil || run.State == record.Ended {
		return run, err
	}
	ctx, own, err := e.ownRun(ctx, id, (*owner).take)
	if err != nil {
		return run, err
	}
	defer own.release()
	if run, err = e.Runs.Requeue(ctx, id); err != nil {
		return run, err
	}
	return e.runLoop(ctx, run)
}

// Cancel stops the run in the name of by, and returns it as it ended. A process
// that runs it is asked to stop; if there is none any more, this one takes the
// run over and undoes what it began. One that has ended is returned as it is.
func (e *Engine) Cancel(ctx context.Context, id delivery.RunID, by delivery.Actor) (record.Run, error) {
	if err := e.Runs.RequestCancel(ctx, id, by); err != nil {
		return record.Run{}, err
	}
	var looks pacer
	for {
		run, err := e.Runs.Get(ctx, id)
		if err != nil || run.State == record.Ended {
			return run, err
		}
		if e.Owners == nil || looks.due() {
			owned, own, free, err := e.own(ctx, id)
			if err != nil {
				return run, err
			}
			if free {
				defer own.release()
				return e.takeOver(owned, id)
			}
		}
		if err := wait.Sleep(ctx, e.pollQueue()); err != nil {
			return run, fmt.Errorf("wait for run %s to stop: %w", id, err)
		}
	}
}

// takeOver ends a run without a process that a person asked to stop.
func (e *Engine) takeOver(ctx context.Context, id delivery.RunID) (record.Run, error) {
	run, err := e.Runs.Get(ctx, id)
	if err != nil || run.State == record.Ended {
		return run, err
	}
	quiet, err := e.isIdle(ctx, run)
	if err != nil {
		return run, err
	}
	if quiet {
		return e.endIdle(ctx, run)
	}
	if run, err = e.Runs.Requeue(ctx, id); err != nil {
		return run, err
	}
	return e.runLoop(ctx, run)
}

// ownRun takes the right to work on the run; fault.Conflict if another process has it.
func (e *Engine) ownRun(ctx context.Context, id delivery.RunID, take takeFunc) (context.Context, *owner, error) {
	owned, o, free, err := e.ownBy(ctx, id, take)
	if err != nil {
		return ctx, nil, err
	}
	if !free {
		return ctx, nil, e.explainOwned(ctx, id)
	}
	return owned, o, nil
}

// Name names this process to people.
func (e *Engine) Name() string { return fmt.Sprintf("process %d on %s", e.PID, e.Host) }

func (e *Engine) runLock(id delivery.RunID) string {
	return runLockPath(e.Home, id)
}

func (e *Engine) now() time.Time {
	if e.Clock == nil {
		return time.Now().UTC()
	}
	return e.Clock().UTC()
}

func (e *Engine) parallel() int {
	if e.Parallel > 0 {
		return e.Parallel
	}
	return max(2, runtime.NumCPU())
}

func (e *Engine) database() string {
	if e.Database != "" {
		return e.Database
	}
	return filepath.Join(e.Home, "engine.db")
}

// backoff is the pause before the n-th retry: doubled each time up to a minute,
// and up to a fifth longer so that retries of many do not meet.
func (e *Engine) backoff(n int) time.Duration {
	base, jitter := e.Backoff, e.Jitter
	if base <= 0 {
		base = time.Second
	}
	if jitter == nil {
		jitter = rand.Float64
	}
	pause := min(base<<min(n-1, 16), time.Minute)
	return pause + time.Duration(jitter()*float64(pause)/5)
}

// failpoint signals to a test that the engine got to a point.
func (e *Engine) failpoint(point string) {
	if e.Failpoint != nil {
		e.Failpoint(point)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often a process looks whether its turn has come, and whether a person
// wants its run to stop.
const (
	pollQueue        = 60 * time.Millisecond
	pollSharedQueue  = 500 * time.Millisecond // where looking is a request
	pollCancel       = 200 * time.Millisecond
	pollSharedCancel = 2 * time.Second
)

func (e *Engine) pollQueue() time.Duration {
	if e.Owners != nil {
		return pollSharedQueue
	}
	return pollQueue
}

func (e *Engine) pollCancel() time.Duration {
	if e.Owners != nil {
		return pollSharedCancel
	}
	return pollCancel
}

// pacer lets something happen at once, and then every lookInterval.
type pacer struct{ last time.Time }

func (p *pacer) due() bool {
	if !p.last.IsZero() && time.Since(p.last) < lookInterval {
		return false
	}
	p.last = time.Now()
	return true
}

// reportLockAfter is how long a run at the head of its queue waits for the
// environment's lock before people hear of it: an ordinary run before it releases
// the lock a moment after it has ended.
const reportLockAfter = time.Second

// runLoop brings a run that this process owns to its end: it waits in the queue,
// and runs.
func (e *Engine) runLoop(ctx context.Context, run record.Run) (record.Run, error) {
	switch {
	case run.State == record.Ended || run.State == record.Waiting:
		return run, nil
	case run.Plan.Skip != "":
		return e.skip(ctx, run)
	}
	if err := e.check(run.Plan); err != nil {
		return run, err
	}
	err := e.waitTurn(ctx, run)
	var out *leftQueue
	if errors.As(err, &out) {
		return out.run, nil
	}
	if err != nil {
		return run, err
	}
	return e.runAtHead(ctx, run)
}

// leftQueue means that the run ended while it was waiting.
type leftQueue struct{ run record.Run }

func (l *leftQueue) Error() string { return "the run left the queue" }

// skip ends a run that has nothing to do. It changes nothing, so it waits for no other run.
func (e *Engine) skip(ctx context.Context, run record.Run) (record.Run, error) {
	return e.finish(ctx, run, record.RunResult{Outcome: delivery.OutcomeSkipped, Cause: run.Plan.Skip, Release: run.Plan.Replaces})
}

// waitTurn returns once the run is at the head of its environment's queue. Runs
// ahead whose processes died are finished on the way: no other process would.
func (e *Engine) waitTurn(ctx context.Context, run record.Run) error {
	said := ""
	looks := map[delivery.RunID]*pacer{}
	for {
		head, ok, err := e.Runs.Head(ctx, run.Environment)
		if err == nil && ok && head.ID == run.ID {
			return nil
		}
		if err == nil {
			err = e.checkQueueLeft(ctx, run)
		}
		if err == nil && ok {
			var adopted bool
			if looks[head.ID] == nil {
				looks[head.ID] = &pacer{}
			}
			if e.Owners == nil || looks[head.ID].due() {
				adopted, err = e.finishAhead(ctx, head)
			}
			if adopted && err == nil {
				continue
			}
			if dead := (*deadAhead)(nil); errors.As(err, &dead) {
				return e.endBehindDead(ctx, run, dead)
			}
		}
		if ctx.Err() != nil {
			return e.cancelOrSuspend(ctx, run)
		}
		if err != nil {
			return err
		}
		if text := describeAhead(head); text != said {
			said = text
			e.withEventLog(run, func(v *eventLog) { v.emit(event.Event{Kind: event.RunQueued, Text: text}) })
		}
		if wait.Sleep(ctx, e.pollQueue()) != nil {
			return e.cancelOrSuspend(ctx, run)
		}
	}
}

// describeAhead describes the run that is waited for.
func describeAhead(r record.Run) string {
	since := r.StartedAt
	if since.IsZero() {
		since = r.CreatedAt
	}
	return fmt.Sprintf("behind run %s by %s (%s, process %d on %s, since %s)",
		r.ID, r.By, r.State, r.PID, r.Host, since.Format(time.RFC3339))
}

// finishAhead finishes the run ahead if its process is gone. Stopping our own run must
// not undo another run's: that is then left for later.
func (e *Engine) finishAhead(ctx context.Context, head record.Run) (adopted bool, err error) {
	if e.Owners != nil && e.ReportDead {
		if err := e.reportDeadAhead(ctx, head); err != nil {
			return false, err
		}
	}
	theirs, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(ErrSuspend) })()
	theirs, own, free, err := e.own(theirs, head.ID)
	if err != nil || !free {
		return false, err
	}
	defer own.release()
	run, err := e.Runs.Get(ctx, head.ID)
	if err != nil || run.State == record.Ended || run.State == record.Waiting {
		return err == nil, err // it went on while we looked
	}
	if run.Plan.Skip != "" {
		_, err = e.skip(theirs, run)
		return true, err
	}
	if err := e.check(run.Plan); err != nil {
		return true, err
	}
	_, err = e.runAtHead(theirs, run)
	return true, err
}

// checkQueueLeft returns *leftQueue if the run was ended, or is to be, while it waits.
func (e *Engine) checkQueueLeft(ctx context.Context, run record.Run) error {
	now, err := e.Runs.Get(ctx, run.ID)
	if err != nil {
		return err
	}
	if now.State == record.Ended {
		return &leftQueue{now}
	}
	if now.CancelledBy.IsZero() {
		return nil
	}
	quiet, err := e.isIdle(ctx, now)
	if err != nil || !quiet {
		return err // what it began must be undone in its turn
	}
	ended, err := e.endIdle(ctx, now)
	if err != nil {
		return err
	}
	return &leftQueue{ended}
}

// cancelOrSuspend is for a wait that was stopped from outside.
func (e *Engine) cancelOrSuspend(ctx context.Context, run record.Run) error {
	if errors.Is(context.Cause(ctx), ErrSuspend) {
		return context.Cause(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	if err := e.Runs.RequestCancel(ctx, run.ID, interruption()); err != nil {
		return err
	}
	if err := e.checkQueueLeft(ctx, run); err != nil {
		return err
	}
	return context.Canceled // resumed, it stops at its turn and undoes what it began
}

// interruption stands for who stopped a run when it was a signal.
func interruption() delivery.Actor {
	return delivery.Actor{Name: "an interrupt", Means: delivery.MeansOS}
}

// isIdle reports whether the run is not at work and began nothing that must be undone.
func (e *Engine) isIdle(ctx context.Context, run record.Run) (bool, error) {
	if run.State == record.Running {
		return false, nil
	}
	steps, err := e.Runs.ListSteps(ctx, run.ID)
	if err != nil {
		return false, err
	}
	begun := map[string]bool{}
	for _, s := range steps {
		begun[s.Name] = true
	}
	for _, s := range run.Plan.Steps {
		if s.Undo != "" && begun[s.Name] {
			return false, nil
		}
	}
	return true, nil
}

// runAtHead runs the run at the head of the queue. The environment's lock keeps two
// processes apart even if a person edits the records, and a run from the commands
// of one whose process was killed: they inherit the lock.
func (e *Engine) runAtHead(ctx context.Context, run record.Run) (record.Run, error) {
	path := filepath.Join(e.Home, "locks", "env-"+string(run.Environment))
	begun, reported := time.Now(), false
	for {
		l, free, err := tryLock(path)
		if err != nil {
			return run, err
		}
		if !free && !reported && time.Since(begun) > reportLockAfter {
			reported = true
			e.withEventLog(run, func(v *eventLog) {
				v.emit(event.Event{Kind: event.RunQueued, Text: "waiting for the processes of an earlier run to end"})
			})
		}
		if free {
			defer l.release()
			return e.execute(ctx, run, l)
		}
		if wait.Sleep(ctx, e.pollQueue()) == nil {
			continue
		}
		err = e.cancelOrSuspend(ctx, run)
		var out *leftQueue
		if errors.As(err, &out) {
			return out.run, nil
		}
		return run, err
	}
}

package engine

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/record"
)

// endIdle ends a run for which nothing has to be undone.
func (e *Engine) endIdle(ctx context.Context, run record.Run) (record.Run, error) {
	return e.finish(ctx, run, record.RunResult{Outcome: delivery.OutcomeCancelled, Cause: "stopped by " + run.CancelledBy.String(), Release: run.Release})
}

// finish records the end of a run and says so.
func (e *Engine) finish(ctx context.Context, run record.Run, f record.RunResult) (record.Run, error) {
	ctx = context.WithoutCancel(ctx)
	f.At = e.now()
	e.announce(ctx, run, f)
	e.failpoint("finishing")
	if err := e.Runs.Finish(ctx, run.ID, f); err != nil {
		return run, err
	}
	e.failpoint("finished")
	ended, err := e.Runs.Get(ctx, run.ID)
	if err != nil {
		return run, err
	}
	e.withEventLog(run, func(v *eventLog) {
		v.emit(event.Event{
			Kind: event.RunFinished, Outcome: ended.Outcome, Release: ended.Release, Text: ended.Cause, Hint: ended.Hint,
			Seconds: seconds(ended.StartedAt, ended.EndedAt),
		})
	})
	return ended, nil
}

// announce passes on how the run is about to end.
func (e *Engine) announce(ctx context.Context, run record.Run, f record.RunResult) {
	if e.Announce == nil {
		return
	}
	e.Announce(ctx, run, e.Redactor.Event(event.Event{
		Time: f.At, Kind: event.RunFinished, Run: run.ID, Environment: run.Environment, Outcome: f.Outcome, Release: f.Release,
		Text: f.Cause, Hint: f.Hint, Seconds: seconds(run.StartedAt, f.At),
	}))
}

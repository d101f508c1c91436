package record

import (
	"context"
	"iter"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Runs keeps runs: their queue, their history and their steps. Every method is
// atomic and safe across processes.
type Runs interface {
	RunQueue
	RunHistory
	StepHistory
}

// RunQueue orders the runs of each environment. A run is queued (Enqueue), becomes
// the head of its environment's queue in its turn (Head), is started (Start), and
// ends or waits for a person (Finish). One that waits joins the queue again with
// Requeue.
type RunQueue interface {
	// Enqueue adds the run at the end of its environment's queue (state Queued)
	// and returns it with its Seq; a known run is returned as it is.
	Enqueue(ctx context.Context, r Run) (Run, error)
	// Requeue puts a Waiting run at the end of the queue again, one Turn later.
	// A run in any other state is returned unchanged.
	Requeue(ctx context.Context, id delivery.RunID) (Run, error)
	// Retake lets a Running run go on under another owner, one Turn later. A run in any
	// other state is returned unchanged.
	Retake(ctx context.Context, id delivery.RunID) (Run, error)
	// Head returns the run at the head of an environment's queue: the Queued or
	// Running one with the smallest Seq. ok is false for an empty queue.
	Head(ctx context.Context, env delivery.Environment) (r Run, ok bool, err error)
	// Start marks the run as Running in that process. A run that has ended or waits
	// is fault.Conflict.
	Start(ctx context.Context, id delivery.RunID, pid int, host string, at time.Time) error
	// Finish ends the run; with delivery.OutcomeWaiting it waits outside the queue.
	// A run that has Ended stays as it is.
	Finish(ctx context.Context, id delivery.RunID, res RunResult) error
}

// RunHistory finds runs.
type RunHistory interface {
	// Get returns a run; fault.NotFound if there is none. A plan of a newer version
	// than plan.Version is fault.Conflict.
	Get(ctx context.Context, id delivery.RunID) (Run, error)
	// List returns a page of the runs of one environment or, with an empty env, of
	// all, newest first. next is where the list goes on; empty: this was the end.
	List(ctx context.Context, env delivery.Environment, page port.Page) (runs []RunSummary, next port.Cursor, err error)
	// Unfinished lists Queued and Running runs by Seq.
	Unfinished(ctx context.Context) ([]RunSummary, error)
	// Waiting lists the Waiting runs of one environment or, with an empty env, of all,
	// oldest first.
	Waiting(ctx context.Context, env delivery.Environment) ([]RunSummary, error)
	// RequestCancel records who wants the run stopped; the process that runs it
	// looks for that. The first request counts.
	RequestCancel(ctx context.Context, id delivery.RunID, by delivery.Actor) error
}

// StepHistory keeps what the steps of runs did.
type StepHistory interface {
	// SaveStep keeps the newest record of a step. A result is never replaced by
	// a record of the same attempt without one.
	SaveStep(ctx context.Context, s StepRecord) error
	// ListSteps lists a run's steps by Index.
	ListSteps(ctx context.Context, id delivery.RunID) ([]StepRecord, error)
	// FindSteps lists the steps of these kinds of all runs that were begun since then,
	// oldest first.
	FindSteps(ctx context.Context, kinds []step.Kind, since time.Time) ([]StepRecord, error)
}

// StepBatcher is an optional ability of a StepHistory: it saves many step records
// at the cost of one.
type StepBatcher interface {
	// SaveSteps is SaveStep for each record, in order, all or none.
	SaveSteps(ctx context.Context, steps []StepRecord) error
}

// AllRuns lists all runs, page by page.
func AllRuns(ctx context.Context, runs RunHistory, env delivery.Environment) iter.Seq2[RunSummary, error] {
	return port.All(ctx, func(ctx context.Context, page port.Page) ([]RunSummary, port.Cursor, error) {
		return runs.List(ctx, env, page)
	})
}

// RunResult is how a run ended.
type RunResult struct {
	Outcome delivery.Outcome
	Cause   string
	Hint    string
	Release delivery.ReleaseID
	At      time.Time
}

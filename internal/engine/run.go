package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/wait"
)

// execution is one turn of a run in this process.
type execution struct {
	e         *Engine
	run       record.Run
	base      context.Context              // see Engine.execution
	known     map[string]record.StepRecord // what the records said when this process took over
	events    *eventLog
	records   *recorder
	slots     chan struct{} // one per step that may run at once
	canceller *canceller
	lock      *lock // of the environment; the children of its steps inherit it

	completed chan struct{} // closed when the workflow has completed
	broken    chan error    // trouble that only a resume can get over
	left      chan struct{} // closed when the run shall be left for later
	leftFor   error         // why; set before
	leaveOnce sync.Once

	checkingOut sync.Mutex
	checkedOut  string // folder with the commit's tree; empty: not yet

	checkoutRoot string // folder around it with files beside the service; empty: none
}

// workflowInput is what the workflow is given: data that outlives the version that
// wrote it. Add fields, never rename them.
type workflowInput struct {
	Plan plan.Plan            `json:"plan"`
	Done map[string]stepState `json:"done,omitempty"` // of earlier turns
}

// execute runs one turn of the run, which is at the head of its queue.
func (e *Engine) execute(ctx context.Context, run record.Run, l *lock) (record.Run, error) {
	whole := context.WithoutCancel(ctx)
	steps, err := e.Runs.ListSteps(whole, run.ID)
	if err != nil {
		return run, err
	}
	fresh := run.StartedAt.IsZero()
	if e.Owners != nil && run.State == record.Running {
		// What its last owner has in a journal is not here: the records say what is done.
		if run, err = e.Runs.Retake(whole, run.ID); err != nil {
			return run, err
		}
	}
	if err := e.Runs.Start(whole, run.ID, e.PID, e.Host, e.now()); err != nil {
		return run, err
	}
	if run, err = e.Runs.Get(whole, run.ID); err != nil {
		return run, err
	}
	e.failpoint("started")
	x := e.execution(whole, run, steps)
	x.lock = l
	defer x.events.close()
	x.events.emit(event.Event{Kind: event.RunStarted, Text: x.header(fresh)})
	artifacts := filepath.Join(e.Home, "artifacts")
	if err := os.MkdirAll(artifacts, 0o700); err != nil {
		return run, unwritable(artifacts, err)
	}
	stopWatching := x.watchCancel(ctx)
	defer stopWatching()
	ended, err := x.runJournal(whole)
	if fault.Is(err, fault.Internal) {
		return e.giveUp(whole, run, err)
	}
	return ended, err
}

// execution makes the turn. base never ends; in shared records it carries the claim on
// the run.
func (e *Engine) execution(base context.Context, run record.Run, steps []record.StepRecord) *execution {
	x := &execution{
		e: e, run: run, base: base, known: map[string]record.StepRecord{}, events: e.openEventLog(run),
		slots: make(chan struct{}, e.parallel()), canceller: newCanceller(base, orDefault(e.Grace, 2*time.Second), run.Plan.Trigger.KeepGoing),
		completed: make(chan struct{}), broken: make(chan error, 1), left: make(chan struct{}),
	}
	x.records = &recorder{base: base, store: e.Runs, fail: x.fail}
	for _, s := range steps {
		x.known[s.Name] = s
	}
	for _, s := range run.Plan.Steps {
		if _, begun := x.known[s.Name]; begun && s.Undo != "" {
			x.canceller.noteUndoable()
		}
	}
	for _, s := range run.Plan.Steps { // a failure that the last process recorded lets nothing begin
		if r := x.known[s.Name].Result; r != nil && r.Outcome == delivery.OutcomeFailed {
			x.canceller.failed(s.Name)
		}
	}
	return x
}

func (x *execution) header(fresh bool) string {
	switch {
	case fresh:
		return ""
	case x.run.Turn > 1 && len(x.unfinished()) == 0:
		return "continued"
	}
	return "resumed"
}

// unfinished are the steps that were at work when the last process died.
func (x *execution) unfinished() []string {
	var out []string
	for name, r := range x.known {
		if r.Result == nil {
			out = append(out, name)
		}
	}
	return out
}

// runJournal runs the turn on the journal, and records how it ended.
func (x *execution) runJournal(ctx context.Context) (ended record.Run, err error) {
	j, err := x.journal(ctx)
	if err != nil {
		return x.run, err
	}
	defer func() { err = errors.Join(err, x.closeJournal(j), x.records.flush(ctx)) }()
	h, err := x.begin(j)
	if err != nil {
		return x.run, record.DatabaseError("begin the run", x.database(), err)
	}
	v, err := x.result(h)
	if err != nil {
		return x.run, err
	}
	x.e.failpoint("journaled")
	if ended, err = x.e.finish(ctx, x.run, v.runResult()); err != nil {
		return ended, err
	}
	x.deleteTurn(j)
	return x.cancelledWhileWaiting(ctx, ended)
}

// cancelledWhileWaiting ends a run that was stopped when all that was left to do
// was to wait.
func (x *execution) cancelledWhileWaiting(ctx context.Context, run record.Run) (record.Run, error) {
	if run.State != record.Waiting || run.CancelledBy.IsZero() {
		return run, nil
	}
	if quiet, err := x.e.isIdle(ctx, run); err != nil || !quiet {
		return run, err
	}
	return x.e.endIdle(ctx, run)
}

// giveUp ends a run whose journal is lost, so that it does not block the queue.
func (e *Engine) giveUp(ctx context.Context, run record.Run, why error) (record.Run, error) {
	outcome := delivery.OutcomeFailed
	if quiet, err := e.hasBegunNothing(ctx, run); err != nil || !quiet {
		outcome = delivery.OutcomeRollbackFailed
	}
	return e.finish(ctx, run, record.RunResult{Outcome: outcome, Cause: e.Redactor.Text(why.Error()), Hint: e.Redactor.Text(fault.HintOf(why)), Release: run.Release})
}

// hasBegunNothing reports whether the run began nothing that must be undone.
func (e *Engine) hasBegunNothing(ctx context.Context, run record.Run) (bool, error) {
	run.State = record.Waiting
	return e.isIdle(ctx, run)
}

// watchCancel stops the run when a person asks for it: in the records, or by ending
// ctx. The returned function ends the watch.
func (x *execution) watchCancel(ctx context.Context) (stop func()) {
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	if !x.run.CancelledBy.IsZero() {
		x.canceller.cancel(x.run.CancelledBy.String())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-watching.Done():
		case <-ctx.Done():
			x.interrupt(watching, ctx)
		}
	})
	wg.Go(func() { x.checkCancel(watching) })
	return func() { end(); wg.Wait(); x.canceller.close() }
}

// interrupt leaves the run for later, or stops it and leaves word of it, so that
// it is stopped even if this process dies meanwhile.
func (x *execution) interrupt(watching, ctx context.Context) {
	if errors.Is(context.Cause(ctx), ErrSuspend) {
		x.leaveOnce.Do(func() { x.leftFor = context.Cause(ctx); close(x.left) })
		return
	}
	x.canceller.cancel(interruption().String())
	if err := x.e.Runs.RequestCancel(watching, x.run.ID, interruption()); err != nil && watching.Err() == nil {
		x.events.emit(event.Event{Kind: event.Notice, Text: "the cancellation could not be recorded: " + err.Error()})
	}
}

// checkCancel looks into the records for a request to stop.
func (x *execution) checkCancel(ctx context.Context) {
	for wait.Sleep(ctx, x.e.pollCancel()) == nil {
		if run, err := x.e.Runs.Get(ctx, x.run.ID); err == nil && !run.CancelledBy.IsZero() {
			x.canceller.cancel(run.CancelledBy.String())
			return
		}
	}
}

// fail records that the turn can't go on in this process; the first reason counts.
func (x *execution) fail(err error) {
	select {
	case x.broken <- err:
	default:
	}
}

// input is the turn's input: the plan, and what earlier turns did.
func (x *execution) input() workflowInput {
	s := workflowInput{Plan: x.run.Plan, Done: map[string]stepState{}}
	for name, r := range x.known {
		if r.Result == nil || r.Result.Outcome == delivery.OutcomeWaiting || x.run.Turn == 1 || r.Unmet != "" {
			continue // what was unmet follows from the others
		}
		s.Done[name] = stepState{Result: *r.Result, Attempt: r.Attempt, Begun: r.Begun, Cancelled: r.Cancelled}
	}
	return s
}

// overtaken describes the run that overtook this one while it waited, or "".
func (x *execution) overtaken(ctx context.Context, current delivery.Deployment) (string, error) {
	o, err := record.FindOvertaker(ctx, x.e.Runs, x.run.RunSummary, current)
	if err != nil || o == nil {
		return "", err
	}
	return o.String(), nil
}

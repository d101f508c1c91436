package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// request is what the step is asked; attempt, log and the like come later.
func (x *execution) request(spec step.Spec, given map[string]json.RawMessage) step.Request {
	p := x.run.Plan
	return step.Request{
		Run: x.run.ID, Service: p.Service, Environment: p.Environment, Commit: p.Commit, StartedBy: p.Trigger.StartedBy(),
		PlanDigest: x.run.PlanDigest,
		Spec:       spec, Inputs: given, RepositoryDir: x.e.Repository, Checkout: x.checkout, CheckoutRoot: x.findCheckoutRoot, Overtaken: x.overtaken,
		WorkDir:      filepath.Join(x.e.runDir(x.run.ID), "work", spec.Name),
		ArtifactsDir: filepath.Join(x.e.Home, "artifacts"),
		CacheDir:     filepath.Join(cmp.Or(x.e.CacheDir, filepath.Join(x.e.Home, "cache")), string(p.Trigger.TrustClass())),
		OnProgress: func(progress string) {
			x.events.emit(event.Event{Kind: event.StepProgress, Step: spec.Name, Text: progress})
		},
		Emit: func(ev event.Event) { ev.Step = spec.Name; x.events.emit(ev) },
	}
}

// stepRun is a step to carry out.
type stepRun struct {
	index   int
	request step.Request
	undo    bool
}

// runStep begins a step and tries until it has ended. An error means that
// the journal is closing.
func (x *execution) runStep(journal context.Context, w stepRun) (stepState, error) {
	spec, r := w.request.Spec, w.request
	ctx, done := x.lifetime(journal, w.undo)
	defer done()
	ctx = flock.Inherit(ctx, x.lock.file)
	closeLog := x.openLog(&r)
	defer closeLog()
	end := x.resumeAt(spec.Name)
	x.events.emit(event.Event{Kind: event.StepStarted, Step: spec.Name})
	started := x.e.now()
	for retries := 0; ; retries++ {
		r.Attempt = end.Attempt
		if err := x.recordBegin(journal, spec, w.index, end); err != nil {
			return stepState{}, err
		}
		x.e.failpoint("begun " + spec.Name)
		result, err := x.attempt(ctx, r)
		if journal.Err() != nil {
			return stepState{}, context.Cause(journal)
		}
		if err != nil && ctx.Err() == nil && retries < spec.Retries && isRetryable(err) {
			x.backOff(ctx, r, retries+1, err)
			end.Attempt++
			continue
		}
		x.e.failpoint("ran " + spec.Name)
		end.Result = x.finalResult(ctx, spec.Name, result, err)
		if end.Result.Started.IsZero() {
			end.Result.Started = started
		}
		end.Result.Ended = x.e.now()
		var why *cancelCause
		if end.Result.Outcome == delivery.OutcomeCancelled && errors.As(context.Cause(ctx), &why) {
			end.Cancelled = why.by
		}
		return end, nil
	}
}

// lifetime is the context of a step: it ends when the run is cancelled. That of an
// undo step does not, but has a limit.
func (x *execution) lifetime(journal context.Context, undo bool) (context.Context, func()) {
	if !undo {
		return x.canceller.ctx, func() {}
	}
	late := fault.New(fault.Exhausted, "the rollback timed out").Hint("look at the environment: it may be half changed")
	ctx, done := context.WithTimeoutCause(x.base, orDefault(x.e.UndoTimeout, 30*time.Minute), late)
	stop := context.AfterFunc(journal, done)
	return ctx, func() { stop(); done() }
}

// openLog gives the request its redacted log.
func (x *execution) openLog(r *step.Request) (closeLog func()) {
	log := newStepLog(x.events, r.Spec.Name, LogPath(x.e.Home, x.run.ID, r.Spec.Name))
	redacted := x.e.Redactor.Writer(log)
	r.Log = redacted
	return func() {
		_ = redacted.Close() // only flushes
		log.Close()
	}
}

// resumeAt is where the step's attempts go on: an attempt that was cut off by
// kill -9 is asked for again, one that has a result is followed by the next.
func (x *execution) resumeAt(name string) stepState {
	old, known := x.known[name]
	switch {
	case !known:
		return stepState{Attempt: 1, Begun: x.e.now()}
	case old.Result == nil:
		return stepState{Attempt: old.Attempt, Begun: old.Begun}
	}
	return stepState{Attempt: old.Attempt + 1, Begun: old.Begun}
}

// recordBegin records that an attempt begins.
func (x *execution) recordBegin(ctx context.Context, spec step.Spec, index int, end stepState) error {
	r := record.StepRecord{Run: x.run.ID, Name: spec.Name, Index: index, Kind: spec.Kind, Attempt: end.Attempt, Begun: end.Begun}
	if spec.Undo == "" && spec.Budget == nil {
		x.records.save(r)
		return nil
	}
	if err := x.records.saveNow(x.base, r); err != nil {
		x.fail(err)
		<-ctx.Done() // without the record it must not begin; nothing is kept of this
		return context.Cause(ctx)
	}
	return nil
}

// backOff reports that a step is tried again, and waits for the moment.
func (x *execution) backOff(ctx context.Context, r step.Request, n int, err error) {
	pause := x.e.backoff(n)
	text := fmt.Sprintf("attempt %d: %v; again in %s", r.Attempt, err, pause.Round(100*time.Millisecond))
	fmt.Fprintln(r.Log, text)
	r.OnProgress(text)
	_ = wait.Sleep(ctx, pause) // cut short, the next attempt sees that ctx has ended
}

// isRetryable reports whether trying again may help. What is wrong in the configuration,
// is forbidden, or was answered with no stays so.
func isRetryable(err error) bool {
	var gone *panicked
	if errors.As(err, &gone) {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Exhausted, fault.Internal:
		return true
	}
	return false
}

// finalResult makes the result that is kept of what the last attempt answered.
func (x *execution) finalResult(ctx context.Context, name string, result step.Result, err error) step.Result {
	switch {
	case err != nil && ctx.Err() != nil:
		result = step.Result{Outcome: delivery.OutcomeCancelled, Cause: context.Cause(ctx).Error(), Hint: fault.HintOf(context.Cause(ctx)), Cost: result.Cost}
	case err != nil:
		output, answers, cost := result.Output, result.GateResults, result.Cost
		result = step.FailWith(err)
		result.Output, result.GateResults, result.Cost = output, answers, cost
	case ctx.Err() != nil && result.Outcome == delivery.OutcomeFailed:
		result.Outcome, result.Cause = delivery.OutcomeCancelled, context.Cause(ctx).Error()
	}
	if result.Outcome == delivery.OutcomeFailed && result.Hint == "" && x.hasLog(name) {
		result.Hint = fmt.Sprintf("`slipway logs %s %s` shows all of its output", x.run.ID, name)
	}
	return x.e.redact(result)
}

// hasLog reports whether the step has written to its log.
func (x *execution) hasLog(name string) bool {
	info, err := os.Stat(LogPath(x.e.Home, x.run.ID, name))
	return err == nil && info.Size() > 0
}

// redact removes secrets from everything that is kept of a result.
func (e *Engine) redact(r step.Result) step.Result {
	x := e.Redactor
	r.Summary, r.Cause, r.Hint, r.Output = x.Text(r.Summary), x.Text(r.Cause), x.Text(r.Hint), x.JSON(r.Output)
	r.GateResults = slices.Clone(r.GateResults)
	for i := range r.GateResults {
		r.GateResults[i].Evidence = x.Text(r.GateResults[i].Evidence)
	}
	return r
}

// panicked is a bug in a step: it fails the step, not the process.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// attempt is one attempt: from the cache, or by running the step.
func (x *execution) attempt(ctx context.Context, r step.Request) (result step.Result, err error) {
	impl := x.e.Steps[r.Spec.Kind]
	if d := r.Spec.Timeout.D(); d > 0 {
		// A release that takes too long is the step's verdict, in the time that it has for
		// that. A step that outlives it all is held up by something else.
		late := fault.New(fault.Exhausted, "timed out after %s", formatDuration(d)).Infrastructure().Hint("give the step more time, or look in its log what it waited for")
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, d, late)
		defer done()
		defer func() {
			failed := err != nil || result.Outcome == delivery.OutcomeFailed
			if failed && errors.Is(context.Cause(ctx), late) {
				err = late
			}
		}()
	}
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(r.Log, "panic: %v\n%s", v, debug.Stack())
			result, err = step.Result{}, fault.New(fault.Internal, "step %s panicked", r.Spec.Name).Infrastructure().
				Hint("this is a bug in Slipway: please report it with the step's log").Cause(&panicked{v})
		}
	}()
	if err := os.MkdirAll(r.WorkDir, 0o755); err != nil {
		return result, unwritable(r.WorkDir, err)
	}
	if r.Spec.Cacheable && x.e.Cache != nil {
		return x.cached(ctx, impl, r)
	}
	return x.carryOut(ctx, impl, r)
}

// validResult refuses an answer that breaks the contract, so that it is seen where it
// was made. A step returns its verdict as a result: any other error is about the
// machine, the target or the records, and says nothing about what is delivered.
func validResult(r step.Result, err error) (step.Result, error) {
	if err != nil {
		return r, fault.AsInfrastructure(err)
	}
	switch r.Outcome {
	case delivery.OutcomeSucceeded, delivery.OutcomeFailed, delivery.OutcomeWaiting, delivery.OutcomeCancelled, delivery.OutcomeSkipped:
	default:
		return step.Result{}, fmt.Errorf("the step answered with the outcome %q, which no step has", r.Outcome)
	}
	if len(r.Output) > 0 && !json.Valid(r.Output) {
		return step.Result{}, errors.New("the step's output is not JSON")
	}
	return r, nil
}

// formatDuration prints a duration without its zero parts: "5m", not "5m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(s) - len(zero) + 1; n > 0 && s[n-1:] == zero {
			s = s[:n]
		}
	}
	return s
}

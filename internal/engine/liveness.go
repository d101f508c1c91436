package engine

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// OwnerStatus is who works on a run, or was the last to.
type OwnerStatus struct {
	record.Ownership               // of records that machines share; without Epoch it was never claimed
	Here             bool          // the owner is this machine
	Alive            bool          // a process works on the run, or waits for its turn
	Beat             bool          // the owner has left a sign of life
	SinceBeat        time.Duration // how long ago the last one was, by the records' clock
}

// IsDeadElsewhere reports whether the run was left unfinished by another machine.
func (o OwnerStatus) IsDeadElsewhere() bool { return o.Epoch > 0 && !o.Here && !o.Alive }

// Owner returns who works on the run. A run that has ended has no owner that lives: what
// was read of it before is to be read again.
func (e *Engine) Owner(ctx context.Context, id delivery.RunID) (o OwnerStatus, err error) {
	if e.Owners != nil {
		if o, err = e.remoteOwner(ctx, id); err != nil || o.Alive || o.IsDeadElsewhere() {
			return o, err
		}
	}
	o.Here = true
	o.Alive, err = HasProcess(e.Home, id)
	return o, err
}

// remoteOwner returns the newest claim on the run, and whether its holder lives if that
// is another machine. What it returns holds for the newest state of the records.
func (e *Engine) remoteOwner(ctx context.Context, id delivery.RunID) (o OwnerStatus, err error) {
	seen, err := e.Owners.Owner(ctx, id)
	for err == nil {
		o = OwnerStatus{Ownership: seen, Here: seen.Epoch > 0 && seen.Machine == e.Machine}
		if seen.Epoch == 0 || o.Here {
			return o, nil
		}
		if o.SinceBeat, o.Beat, err = e.Owners.SinceBeat(ctx, id, seen.Epoch); err != nil {
			return o, err
		}
		if o.Alive = o.Beat && o.SinceBeat < e.ownerTimeouts().timeout; o.Alive {
			return o, nil
		}
		// An owner that has ended the run lets it go after that is recorded.
		if seen, err = e.Owners.Owner(ctx, id); seen.Epoch == o.Epoch {
			return o, err
		}
	}
	return o, err
}

// explainOwned is the error of a run that another process has.
func (e *Engine) explainOwned(ctx context.Context, id delivery.RunID) error {
	if e.Owners != nil {
		o, err := e.remoteOwner(ctx, id)
		if err == nil && o.Alive {
			left := max(0, e.ownerTimeouts().timeout-o.SinceBeat).Round(time.Second)
			return fault.New(fault.Conflict, "run %s is being run by %s", id, o.Holder).
				Hint("follow it with `slipway status`, or stop it first; if that machine is gone, this one can go on with it in %s", left)
		}
	}
	return fault.New(fault.Conflict, "run %s is being run by another process", id).
		Hint("follow it with `slipway status`, or stop it first")
}

// deadAhead is why a run can't go on: another machine left a run ahead of it
// unfinished, and people want to look at such runs first.
type deadAhead struct{ fault *fault.Error }

func (d *deadAhead) Error() string { return d.fault.Error() }
func (d *deadAhead) Unwrap() error { return d.fault }

// reportDeadAhead returns *deadAhead if the run ahead was left by another machine.
func (e *Engine) reportDeadAhead(ctx context.Context, head record.Run) error {
	o, err := e.remoteOwner(ctx, head.ID)
	if err != nil || !o.IsDeadElsewhere() {
		return err
	}
	now, err := e.Runs.Get(ctx, head.ID)
	if err != nil || now.State == record.Ended || now.State == record.Waiting {
		return err // its owner has ended it, and let it go
	}
	return &deadAhead{fault.New(fault.Conflict, "run %s in %s was left unfinished by %s", head.ID, head.Environment, o.Holder).
		Hint("finish it with `slipway run --resume %s`, or stop it with `slipway cancel %s`; then run this again", head.ID, head.ID)}
}

// endBehindDead ends a run that has begun nothing; one that continues keeps its place,
// and is finished with the one ahead.
func (e *Engine) endBehindDead(ctx context.Context, run record.Run, dead *deadAhead) error {
	if run.Turn > 1 || run.State != record.Queued {
		return dead
	}
	_, err := e.finish(ctx, run, record.RunResult{Outcome: delivery.OutcomeFailed, Cause: dead.Error(), Hint: fault.HintOf(dead)})
	if err != nil {
		return err
	}
	return dead
}

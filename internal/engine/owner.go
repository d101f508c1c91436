package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/wait"
)

// An owner that several machines can replace says every beatInterval that it lives. It
// may work until ownerTimeout minus ownerMargin after it sent the last beat that
// arrived; after ownerTimeout by the records' clock it is replaced.
const (
	ownerTimeout = time.Minute
	ownerMargin  = 10 * time.Second
	beatInterval = 10 * time.Second
	// lookInterval is how often another machine's owner is looked at: that takes a few
	// requests.
	lookInterval   = 5 * time.Second
	releaseTimeout = 5 * time.Second
)

// lostError is why an owner leaves a run to others, as kill -9 would: nothing is undone.
func lostError(run delivery.RunID) error {
	return fault.New(fault.Unavailable, "the shared state could not be reached for so long that another machine may have taken over run %s", run).
		Hint("`slipway status` shows who works on it; if no machine does, continue it with `slipway run --resume %s`", run).Cause(ErrSuspend)
}

// owner is the right to work on a run. Among the processes of one machine a lock decides
// who has it; among machines, a claim in the records.
type owner struct {
	*lock
	owners record.Owners // nil: no other machine
	claim  record.Ownership

	stop    context.CancelFunc // of the beats
	publish func()             // ends saving what the run prints; nil: it is not saved
	stopped sync.WaitGroup
}

// own takes the right to work on the run, or reports that another process has it. ctx
// is replaced by one that ends with ErrSuspend once it is lost, and under which the
// records are changed in the name of the claim.
func (e *Engine) own(ctx context.Context, id delivery.RunID) (owned context.Context, o *owner, free bool, err error) {
	return e.ownBy(ctx, id, (*owner).take)
}

// takeFunc claims a run: take, or takeNew.
type takeFunc func(*owner, context.Context, *Engine, delivery.RunID) (asked wait.Moment, free bool, err error)

func (e *Engine) ownBy(ctx context.Context, id delivery.RunID, take takeFunc) (owned context.Context, o *owner, free bool, err error) {
	l, free, err := tryLock(e.runLock(id))
	if err != nil || !free {
		return ctx, nil, false, err
	}
	o = &owner{lock: l}
	if e.Owners == nil {
		return ctx, o, true, nil
	}
	o.owners = e.Owners
	asked, free, err := take(o, ctx, e, id)
	if err != nil || !free {
		l.release()
		return ctx, nil, false, err
	}
	owned, lose := context.WithCancelCause(record.AsOwner(ctx, o.claim))
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = func() { stop(); lose(nil) }
	o.stopped.Go(func() { o.beat(beating, asked, e.ownerTimeouts(), lose) })
	if e.Files != nil {
		p := newPublisher(e.Files, e.Home, o.claim)
		publishing, end := context.WithCancel(context.WithoutCancel(ctx))
		published := make(chan struct{})
		go func() { defer close(published); p.loop(publishing) }()
		o.publish = func() { end(); <-published }
	}
	return owned, o, true, nil
}

// take claims the run, unless a machine that lives has it.
func (o *owner) take(ctx context.Context, e *Engine, id delivery.RunID) (asked wait.Moment, free bool, err error) {
	seen, err := e.remoteOwner(ctx, id)
	if err != nil || seen.Alive {
		return asked, false, err
	}
	asked = wait.Now()
	if err := o.owners.Beat(ctx, id, seen.Epoch+1); err != nil { // first: who sees the claim sees it alive
		return asked, false, err
	}
	// The lock proves that no process of this machine works on it any more.
	free, err = o.claimAfter(ctx, e, seen.Ownership)
	return asked, free, err
}

// takeNew claims a run that is not queued yet: no other machine knows it, so there is no
// owner to look for, and no reader of the claim before the beat.
func (o *owner) takeNew(ctx context.Context, e *Engine, id delivery.RunID) (asked wait.Moment, free bool, err error) {
	asked = wait.Now()
	var beat error
	var beating sync.WaitGroup
	beating.Go(func() { beat = o.owners.Beat(ctx, id, 1) })
	free, err = o.claimAfter(ctx, e, record.Ownership{Run: id})
	beating.Wait()
	if err == nil && beat == nil && !free { // a process was killed before it had queued the run
		return o.take(ctx, e, id)
	}
	return asked, free && beat == nil, errors.Join(err, beat)
}

// claimAfter makes this process the owner after the one that was seen, unless another
// machine is faster.
func (o *owner) claimAfter(ctx context.Context, e *Engine, seen record.Ownership) (free bool, err error) {
	o.claim, err = o.owners.Claim(ctx, record.Ownership{Run: seen.Run, Epoch: seen.Epoch, Holder: e.Name(), Machine: e.Machine})
	if fault.Is(err, fault.Conflict) {
		return false, nil
	}
	return err == nil, err
}

// beat keeps the claim alive, and calls lose once the last beat that arrived is so old
// that another machine may soon take the run over.
func (o *owner) beat(ctx context.Context, last wait.Moment, t ownerTimeouts, lose context.CancelCauseFunc) {
	for wait.Sleep(ctx, t.beat) == nil {
		asked := wait.Now()
		left := t.timeout - t.margin - last.Since()
		within, done := context.WithTimeout(ctx, max(left, 0))
		err := o.owners.Beat(within, o.claim.Run, o.claim.Epoch)
		done()
		if err == nil {
			last = asked
		}
		if last.Since() >= t.timeout-t.margin && ctx.Err() == nil {
			lose(lostError(o.claim.Run))
			return
		}
	}
}

// release lets the run go, to any machine at once.
func (o *owner) release() {
	var published sync.WaitGroup // by then: what the run printed is under the claim's own name
	if o.publish != nil {
		published.Go(o.publish)
	}
	if o.owners != nil {
		o.stop()
		o.stopped.Wait()
		ctx, done := context.WithTimeout(context.Background(), releaseTimeout)
		_ = o.owners.Release(ctx, o.claim.Run, o.claim.Epoch) // else they wait for the timeout
		done()
	}
	published.Wait()
	o.lock.release()
}

// ownerTimeouts are the constants above, or fractions of them in tests.
type ownerTimeouts struct{ timeout, margin, beat time.Duration }

func (e *Engine) ownerTimeouts() ownerTimeouts {
	t := ownerTimeouts{ownerTimeout, ownerMargin, beatInterval}
	if e.OwnerTimeout > 0 {
		t = ownerTimeouts{e.OwnerTimeout, e.OwnerTimeout / 6, e.OwnerTimeout / 6}
	}
	return t
}

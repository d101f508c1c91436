package engine

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// canceller records whether steps may still begin, and stops those that run.
type canceller struct {
	grace time.Duration
	ctx   context.Context // of the steps; its cause is *cancelCause
	stop  context.CancelCauseFunc

	mu    sync.Mutex
	why   *cancelCause // nil: go on
	timer *time.Timer

	keepGoing bool         // after a failure, other steps may begin, except for those that must be undone
	failure   *cancelCause // then: the first one
	undoable  bool         // a step that must be undone has begun: the next failure stops the run
}

// cancelCause is why steps do not begin or go on: a step failed, or a person cancelled the run.
type cancelCause struct {
	step string
	by   string
}

func (h *cancelCause) Error() string {
	if h.by != "" {
		return "stopped by " + h.by
	}
	return h.step + " failed"
}

func newCanceller(base context.Context, grace time.Duration, keepGoing bool) *canceller {
	h := &canceller{grace: grace, keepGoing: keepGoing}
	h.ctx, h.stop = context.WithCancelCause(base)
	return h
}

// cancel stops everything at once in the name of by.
func (h *canceller) cancel(by string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil || h.why.by == "" {
		h.why = &cancelCause{by: by}
	}
	h.stop(h.why)
}

// failed lets no further step begin, and stops those that run after the grace:
// what is quick may still say how it ended. A run that keeps going is not stopped
// unless it has begun what must be undone.
func (h *canceller) failed(step string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != nil {
		return
	}
	if h.keepGoing && !h.undoable {
		if h.failure == nil {
			h.failure = &cancelCause{step: step}
		}
		return
	}
	h.why = &cancelCause{step: step}
	why := h.why
	h.timer = time.AfterFunc(max(0, h.grace), func() { h.stop(why) })
}

// admit returns why a step may not begin, or nil: it begins. undoable is a step that
// must be undone when the run fails: it does not begin after any failure.
func (h *canceller) admit(undoable bool) *cancelCause {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.why != nil:
		return h.why
	case undoable && h.failure != nil:
		return h.failure
	}
	h.undoable = h.undoable || undoable
	return nil
}

// noteUndoable records that a process before this one has begun a step that must be
// undone.
func (h *canceller) noteUndoable() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undoable = true
}

// close frees what the canceller holds; steps have ended.
func (h *canceller) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.stop(fmt.Errorf("the turn is over"))
}

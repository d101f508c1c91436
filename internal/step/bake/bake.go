// Package bake observes a release for a while: at regular intervals, until the
// time is over or the result is clear.
package bake

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// A release is observed ten times per bake time, within these bounds.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = 2 * time.Second
)

// MaxFailures is how many observations in a row may fail before the bake gives up.
const MaxFailures = 5

// Bake is one bake time.
type Bake struct {
	Clock    step.Clock
	Start    time.Time
	Duration time.Duration

	// Progress receives one line per observation; left is never negative.
	Progress func(left time.Duration, text string)
	// Permanent reports whether retrying can't help; nil: it always may.
	Permanent func(error) bool
}

// Observation is the result of looking at the release once.
type Observation struct {
	Done     bool   // the result is clear before the end
	Extend   bool   // the result is not clear at the end: the bake goes on
	Progress string // one line for people
}

// FailedError is returned when the release could not be observed.
type FailedError struct {
	Failures  int  // in a row
	Permanent bool // retrying can't help
	Err       error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%d failed observations in a row: %v", e.Failures, e.Err)
}

func (e *FailedError) Unwrap() error { return e.Err }

// Run calls observe until the bake time is over or an observation is Done; last
// reports that the time is over. A failed observation is repeated, after the end as
// well: without one nothing is known. The error is a FailedError, or the
// context's cause.
func (b Bake) Run(ctx context.Context, observe func(ctx context.Context, last bool) (Observation, error)) error {
	interval := min(max(b.Duration/10, minInterval), maxInterval)
	end := b.Start.Add(b.Duration)
	for failures := 0; ; {
		left := end.Sub(b.Clock.Now())
		o, err := observe(ctx, left <= 0)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case err != nil:
			failures++
			permanent := b.Permanent != nil && b.Permanent(err)
			if permanent || failures >= MaxFailures {
				return &FailedError{Failures: failures, Permanent: permanent, Err: err}
			}
			o.Progress = fmt.Sprintf("check failed: %v", err)
		case o.Done || left <= 0 && !o.Extend:
			return nil
		default:
			failures = 0
		}
		b.Progress(max(left, 0).Round(time.Second), o.Progress)
		pause := interval
		if left > 0 {
			pause = min(interval, left)
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

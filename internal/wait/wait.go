// Package wait lets time pass under a context. In a synctest bubble it takes the
// bubble's time.
package wait

import (
	"context"
	"time"
)

// Sleep waits for d. If ctx ends first, or has ended, it returns ctx's cause.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Poll calls condition at once and then interval after each call that returned,
// until it is done or fails. If ctx ends in between, Poll returns ctx's cause.
func Poll(ctx context.Context, interval time.Duration, condition func(context.Context) (done bool, err error)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for {
		done, err := condition(ctx)
		if done || err != nil {
			return err
		}
		if err := Sleep(ctx, interval); err != nil {
			return err
		}
	}
}

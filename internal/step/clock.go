package step

import (
	"context"
	"time"
)

// Clock is a step's source of time. The zero value is the system's clock.
type Clock struct {
	Time  func() time.Time                     // default time.Now
	Timer func(time.Duration) <-chan time.Time // default time.After
}

// Now returns the time, in UTC.
func (c Clock) Now() time.Time {
	if c.Time == nil {
		return time.Now().UTC()
	}
	return c.Time().UTC()
}

// Wait waits for d. If ctx ends first, the error is the context's cause.
func (c Clock) Wait(ctx context.Context, d time.Duration) error {
	after := c.Timer
	if after == nil {
		after = time.After
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-after(d):
		return nil
	}
}

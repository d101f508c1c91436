package app

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How long Watch waits before it starts services again: longer each time, unless they
// had run for a while.
const (
	minRestartDelay = time.Second
	maxRestartDelay = 30 * time.Second
	stableRun       = time.Minute
)

// Watch starts every environment's service like Up, and again whenever what keeps them
// running was killed, until ctx ends. That one of them was taken down is no outage.
func (a *App) Watch(ctx context.Context, say func(string)) error {
	if _, err := a.Up(ctx); err != nil {
		if !fault.Is(err, fault.Unavailable) {
			return err
		}
		say(fmt.Sprintf("start the services: %v", err)) // those of other environments are kept running all the same
	}
	say("watching: the services are started again if their supervisor dies")
	for delay := time.Duration(0); ; {
		begun := a.Clock()
		if err := a.awaitOutage(ctx); err != nil {
			return ended(ctx, err)
		}
		if a.Clock().Sub(begun) >= stableRun {
			delay = 0
		}
		say("the supervisor has died: the services are started again")
		if err := wait.Sleep(ctx, delay); err != nil {
			return ended(ctx, err)
		}
		delay = min(max(2*delay, minRestartDelay), maxRestartDelay)
		if _, err := a.Up(ctx); err != nil && ctx.Err() == nil {
			say(fmt.Sprintf("start the services again: %v", err)) // and once more after the delay
		}
	}
}

// ended returns nil if the watch was interrupted, which is how it is meant to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// awaitOutage waits until one of the targets has to be restored.
func (a *App) awaitOutage(ctx context.Context) error {
	return a.withSession(ctx, func(s *session) error {
		var all []port.OutageAwaiter
		for _, t := range s.deps.Targets {
			if t, ok := t.(port.OutageAwaiter); ok {
				all = append(all, t)
			}
		}
		if len(all) == 0 {
			return fault.New(fault.Invalid, "watch the services: none of their targets needs that").Hint("the local target does; it runs on Linux")
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		first := make(chan error, len(all))
		for _, t := range all {
			go func() { first <- t.AwaitOutage(ctx) }()
		}
		return <-first
	})
}

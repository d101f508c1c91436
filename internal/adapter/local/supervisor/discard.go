//go:build linux

package supervisor

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// discard stops the staged release if it is that one.
func (e *environment) discard(ctx context.Context, release delivery.ReleaseID) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	saved, _ := e.store.get(e.key)
	if saved.Staged == nil || saved.Staged.Release != release {
		return nil
	}
	return e.discardStaged(ctx, saved)
}

func (e *environment) discardStaged(ctx context.Context, saved EnvironmentState) error {
	if saved.Staged != nil {
		saved.Staged = nil
		if err := e.store.unstage(e.key, saved); err != nil {
			e.cfg.Log.Printf("%s: %v", e.key, err)
		}
	}
	e.closeCandidate()
	e.mu.Lock()
	g := e.staged
	e.staged = nil
	e.mu.Unlock()
	if g != nil {
		e.drainGroup(g, nil)
	}
	e.closeUnusedPorts(ctx, saved)
	return e.waitDrained(ctx)
}

// discardFailed stops a release that cannot become ready. It is kept if the
// caller disconnected, who may repeat the call.
func (e *environment) discardFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	saved, _ := e.store.get(e.key)
	return e.discardAfter(ctx, saved, err)
}

// discardAfter stops the staged replicas because of err, also if the caller disconnected.
func (e *environment) discardAfter(ctx context.Context, saved EnvironmentState, err error) error {
	if undo := e.discardStaged(context.WithoutCancel(ctx), saved); undo != nil {
		return fmt.Errorf("%w; then: %w", err, undo)
	}
	return err
}

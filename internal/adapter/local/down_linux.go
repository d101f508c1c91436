package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Down stops the supervisor and all replicas gracefully and keeps the saved state
// for the next Restore or Stage. It does nothing if no supervisor is running.
func (t *Target) Down(ctx context.Context) error {
	return t.stop(ctx, supervisor.StopRequest{})
}

// stopIfIdle stops a supervisor that has no release left.
func (t *Target) stopIfIdle(ctx context.Context) error {
	live, err := t.hasWork()
	if err != nil || live {
		return err
	}
	return t.stop(ctx, supervisor.StopRequest{OnlyIdle: true})
}

func (t *Target) stop(ctx context.Context, how supervisor.StopRequest) error {
	for {
		running, err := supervisor.IsRunning(t.cfg.Dir)
		if err != nil || !running {
			return err
		}
		stops := true
		err = t.send(ctx, supervisor.CallStop, how, &stops, orDiscard(nil))
		if err != nil && !errors.Is(err, errUnavailable) || !stops {
			return err
		}
		if err := wait.Sleep(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the supervisor to exit: %w", err)
		}
	}
}

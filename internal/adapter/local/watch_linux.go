package local

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/wait"
)

// outageInterval is how often it is looked whether the supervisor still runs.
const outageInterval = 500 * time.Millisecond

// AwaitOutage waits until releases should run, but have no supervisor.
func (t *Target) AwaitOutage(ctx context.Context) error {
	return wait.Poll(ctx, outageInterval, func(context.Context) (bool, error) {
		work, err := t.hasWork()
		if err != nil || !work {
			return false, err
		}
		running, err := supervisor.IsRunning(t.cfg.Dir)
		return !running, err
	})
}

package probe

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// DeploymentOfRun finds what this run began in its environment: the deployment that is
// still open, or else its newest.
func DeploymentOfRun(ctx context.Context, ledger port.DeploymentStore, r step.Request) (d delivery.Deployment, ok bool, err error) {
	history, err := ledger.List(ctx, r.Environment, 0)
	if err != nil {
		return d, false, fmt.Errorf("read the history of %s: %w", r.Environment, err)
	}
	for _, h := range history {
		if h.Run != r.Run {
			continue
		}
		if h.State == delivery.Deploying {
			return h, true, nil
		}
		if !ok {
			d, ok = h, true
		}
	}
	return d, ok, nil
}

package cli

import (
	"context"
	"errors"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// The exit codes: a contract with scripts and CI.
const (
	ExitOK             = 0
	ExitFailed         = 1 // a gate or step failed; production is unchanged
	ExitUsage          = 2 // usage or configuration
	ExitRolledBack     = 3 // deployed, failed, and rolled back
	ExitWaiting        = 4 // for an approval
	ExitRollbackFailed = 5 // the rollback itself failed
	ExitDrift          = 6 // a check found that what is live differs from the record
	ExitInterrupted    = 130
)

// exitCode returns the exit code for an error.
func exitCode(ctx context.Context, err error) int {
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ExitInterrupted
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict):
		return ExitUsage
	}
	return ExitFailed
}

// outcomeExitCode returns the exit code for the outcome of a run.
func outcomeExitCode(o delivery.Outcome) int {
	switch o {
	case delivery.OutcomeDeployed, delivery.OutcomeSucceeded, delivery.OutcomeSkipped:
		return ExitOK
	case delivery.OutcomeRolledBack:
		return ExitRolledBack
	case delivery.OutcomeWaiting:
		return ExitWaiting
	case delivery.OutcomeRollbackFailed:
		return ExitRollbackFailed
	case delivery.OutcomeCancelled:
		return ExitInterrupted
	}
	return ExitFailed
}

// setExit sets the exit code unless an earlier result has set one.
func (c *Command) setExit(code int) {
	if c.exit == ExitOK {
		c.exit = code
	}
}

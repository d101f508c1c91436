//go:build unix && !linux

package process

import (
	"context"
	"syscall"
	"time"
)

func bootID() string { return "" }

func startTime(int) uint64 { return 0 }

func runnerAlive(runner startRecord) bool {
	return runner.PID > 1 && syscall.Kill(runner.PID, 0) == nil
}

func signalRunner(runner startRecord) { _ = syscall.Kill(runner.PID, syscall.SIGTERM) }

// endProcesses reaches the runner's group only: processes that left it cannot be found
// on this system.
func endProcesses(_ context.Context, _ string, runner startRecord, grace time.Duration) error {
	if runner.PID > 1 && groupAlive(runner.PID) {
		signalGroup(runner.PID, false)
		awaitGroup(runner.PID, grace)
		signalGroup(runner.PID, true)
		awaitGroup(runner.PID, maxKill)
	}
	return nil
}

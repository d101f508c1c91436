//go:build unix && !linux

package process

import (
	"context"
	"syscall"
	"time"
)

func bootID() string { return "" }

func startTime(int) uint64 { return 0 }

func alive(who started) bool { return who.PID > 1 && syscall.Kill(who.PID, 0) == nil }

func signalRunner(who started) { _ = syscall.Kill(who.PID, syscall.SIGTERM) }

// endAll reaches the runner's group only: there is no way here to find what left it.
func endAll(_ context.Context, _ string, who started, grace time.Duration) error {
	if who.PID > 1 && groupAlive(who.PID) {
		signalGroup(who.PID, false)
		awaitGroup(who.PID, grace)
		signalGroup(who.PID, true)
		awaitGroup(who.PID, maxDeath)
	}
	return nil
}

//go:build !unix

package process

import (
	"context"
	"time"
)

func bootID() string                                                         { return "" }
func startTime(int) uint64                                                   { return 0 }
func runnerAlive(startRecord) bool                                           { return false }
func signalRunner(startRecord)                                               {}
func endProcesses(context.Context, string, startRecord, time.Duration) error { return errSystem }

//go:build !unix

package process

import (
	"context"
	"time"
)

func bootID() string                                               { return "" }
func startTime(int) uint64                                         { return 0 }
func alive(started) bool                                           { return false }
func signalRunner(started)                                         {}
func endAll(context.Context, string, started, time.Duration) error { return errSystem }

//go:build !linux

package buildkit

import (
	"context"
	"errors"
)

// daemon is a BuildKit of our own: it runs on Linux only.
type daemon struct{ dir, program, mirrors, idleProgram string }

var errLinux = errors.New("supported on Linux only")

func findDaemon(string) (string, error) { return "", errLinux }

func (*daemon) address() string { return "" }
func (*daemon) acquire(context.Context, func(string)) (release func(), err error) {
	return nil, errLinux
}
func (*daemon) alive() bool                             { return false }
func (*daemon) stop(context.Context) error              { return nil }
func (*daemon) version(context.Context) (string, error) { return "", errLinux }

// StopWhenIdle has nothing to watch here.
func StopWhenIdle(context.Context, []string) int { return 1 }

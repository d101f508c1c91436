//go:build !linux

package local

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Target is not supported on this system.
type Target struct{}

// New returns a target whose methods return an error.
func New(Config) *Target { return &Target{} }

func needsLinux() error {
	return fault.New(fault.Invalid, "use the local target on %s: it requires Linux", runtime.GOOS).
		Hint("run Slipway in a Linux virtual machine or WSL2, or use a Kubernetes target")
}

// Stage is not supported.
func (*Target) Stage(context.Context, port.DeployRequest, func(string)) (string, error) {
	return "", needsLinux()
}

// Promote is not supported.
func (*Target) Promote(context.Context, port.DeployRequest, func(string)) (port.Observation, error) {
	return port.Observation{}, needsLinux()
}

// Discard is not supported.
func (*Target) Discard(context.Context, port.DeployRequest) error { return needsLinux() }

// Observe is not supported.
func (*Target) Observe(context.Context, string, delivery.Environment) (port.Observation, error) {
	return port.Observation{}, needsLinux()
}

// Remove is not supported.
func (*Target) Remove(context.Context, string, delivery.Environment) error { return needsLinux() }

// Traffic is not supported.
func (*Target) Traffic(context.Context, string, delivery.Environment, delivery.ReleaseID, time.Time) (port.Traffic, error) {
	return port.Traffic{}, needsLinux()
}

// ReplicaLogs is not supported.
func (*Target) ReplicaLogs(context.Context, string, delivery.Environment, int) ([]string, error) {
	return nil, needsLinux()
}

// ListUnused is empty: nothing ever ran here.
func (*Target) ListUnused(context.Context, time.Time) ([]string, error) { return nil, nil }

// Restore is refused.
func (*Target) Restore(context.Context) error { return needsLinux() }

// Down is not supported.
func (*Target) Down(context.Context) error { return needsLinux() }

// NewSupervisors returns nil: none runs on this system.
func NewSupervisors() port.Supervisors { return nil }

// RunInternal handles no command on this system.
func RunInternal(context.Context, []string, io.Writer) (code int, handled bool) { return 0, false }

// Supervise is not supported.
func Supervise(context.Context, []string, io.Writer) error { return needsLinux() }

// ContainerInit is not supported.
func ContainerInit() {}

package deploy

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestRun_InfrastructureFailure: only what the release itself did counts against it.
func TestRun_InfrastructureFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		err    error
		want   bool
	}{
		{"port in use", "Stage", fault.New(fault.Conflict, "listen on port 8080"), true},
		{"disk full", "Stage", fmt.Errorf("unpack: %w", fault.New(fault.Exhausted, "write layer").Cause(syscall.ENOSPC)), true},
		{"disk full, plain", "Stage", fmt.Errorf("create the image folder: %w", syscall.ENOSPC), true},
		{"registry unreachable", "Stage", fault.New(fault.Unavailable, "unpack registry.example/api"), true},
		{"supervisor gone", "Promote", fault.New(fault.Unavailable, "call the supervisor"), true},
		{"state not saved", "Promote", fault.New(fault.Exhausted, "save the state"), true},
		{"release exits", "Stage", fault.New(fault.Failed, "start r-1: exit code 1"), false},
		{"release without a program", "Stage", fault.New(fault.Invalid, "the image has no entrypoint"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				rel := w.Release(1)
				w.Target.Fail = func(m string, _ delivery.ReleaseID) error {
					if m == c.method {
						return c.err
					}
					return nil
				}
				res, err := newStep(w).Run(t.Context(), request(step.DeployParams{Release: rel.ID}))
				if err != nil || res.Outcome != delivery.OutcomeFailed {
					t.Fatalf("outcome = %s, error = %v, want %s", res.Outcome, err, delivery.OutcomeFailed)
				}
				if res.InfrastructureFailure != c.want {
					t.Errorf("InfrastructureFailure = %v, want %v (%s)", res.InfrastructureFailure, c.want, res.Cause)
				}
			})
		})
	}
	t.Run("release does not respond", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := fake.NewEnvironment()
			rel := w.Release(1)
			w.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
				return port.ProbeResponse{}, false, errors.New("connection refused")
			}
			res, err := newStep(w).Run(t.Context(), request(step.DeployParams{Release: rel.ID}))
			if err != nil || res.InfrastructureFailure {
				t.Errorf("InfrastructureFailure = %v, error = %v, want a verdict on the release (%s)", res.InfrastructureFailure, err, res.Cause)
			}
		})
	})
}

// TestRun_Outage: the target stops working while the release is checked.
func TestRun_Outage(t *testing.T) {
	for _, c := range []struct {
		name string
		path string // of the request during which it happens
	}{
		{"health", "/health"},
		{"smoke", "/predict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				rel := w.Release(1)
				down := ""
				w.Target.Outage = func() string { return down }
				w.Prober.Respond = func(_ delivery.ReleaseID, path string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
					if path == c.path {
						down = "the supervisor is not running"
						return port.ProbeResponse{}, false, errors.New("connection reset by peer")
					}
					return port.ProbeResponse{}, false, nil
				}
				r := request(step.DeployParams{Release: rel.ID, ProbeParams: step.ProbeParams{Checks: []step.Check{{Name: "predict", Path: "/predict"}}}})
				res, err := newStep(w).Run(t.Context(), r)
				if err != nil || res.Outcome != delivery.OutcomeFailed || !res.InfrastructureFailure {
					t.Errorf("outcome = %s (%q), InfrastructureFailure = %v, error = %v, want a failure of the infrastructure", res.Outcome, res.Cause, res.InfrastructureFailure, err)
				}
				if !strings.Contains(res.Cause, "the supervisor is not running") {
					t.Errorf("cause = %q, want the outage in it", res.Cause)
				}
			})
		})
	}
}

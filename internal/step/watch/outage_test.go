package watch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestRun_InfrastructureFailure: a target that does not work, or does not respond,
// is no verdict on the release.
func TestRun_InfrastructureFailure(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*fixture)
		says string
	}{
		{"outage", func(s *fixture) { s.Target.Outage = func() string { return "the supervisor is not running" } }, "the supervisor is not running"},
		{"unreachable", func(s *fixture) {
			s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m == "Observe" {
					return fault.New(fault.Unavailable, "ask the cluster").Infrastructure()
				}
				return nil
			}
		}, "ask the cluster"},
		{"not measured", func(s *fixture) {
			s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m == "Traffic" {
					return fault.New(fault.Internal, "read the metrics")
				}
				return nil
			}
		}, "read the metrics"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				c.set(s)
				res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Hour)})
				if err != nil || res.Outcome != delivery.OutcomeFailed || !res.InfrastructureFailure {
					t.Errorf("outcome = %s (%q), InfrastructureFailure = %v, error = %v, want a failure of the infrastructure", res.Outcome, res.Cause, res.InfrastructureFailure, err)
				}
				if !strings.Contains(res.Cause, c.says) {
					t.Errorf("cause = %q, want %q in it", res.Cause, c.says)
				}
				s.wantAccepted(t, false)
			})
		})
	}
}

package verify

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestRun_Outage: a target that does not work is no verdict on the release.
func TestRun_Outage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture()
		s.Target.Outage = func() string { return "the supervisor is not running" }
		begun := time.Now()
		res, err := s.run(t, step.VerifyParams{}, true)
		if err != nil || res.Outcome != delivery.OutcomeFailed || !res.InfrastructureFailure {
			t.Errorf("outcome = %s (%q), InfrastructureFailure = %v, error = %v, want a failure of the infrastructure", res.Outcome, res.Cause, res.InfrastructureFailure, err)
		}
		if !strings.Contains(res.Cause, "the supervisor is not running") {
			t.Errorf("cause = %q, want the outage in it", res.Cause)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %s, want at most 2s", took)
		}
	})
}

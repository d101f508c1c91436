package app

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestRunChecks: they run at the same time, each ends with its own, and they come out in
// their order.
func TestRunChecks(t *testing.T) {
	both := make(chan struct{})
	waits := func(ctx context.Context) port.CheckResult { // for the other one
		select {
		case both <- struct{}{}:
		case <-both:
		case <-ctx.Done():
			return port.CheckResult{State: port.CheckFailed, Seen: "it ran alone"}
		}
		return port.CheckResult{State: port.CheckOK}
	}
	hangs := func(ctx context.Context) port.CheckResult {
		<-ctx.Done()
		return port.CheckResult{State: port.CheckUnknown, Seen: "no answer"}
	}
	got := runChecks(t.Context(), []placedCheck{
		{"aws", port.Check{Name: "slow", Run: hangs}}, {"aws", port.Check{Name: "one", Run: waits}}, {"prod", port.Check{Name: "other", Run: waits}},
	}, 500*time.Millisecond)
	want := []Diagnosis{
		{"aws", "slow", port.CheckResult{State: port.CheckUnknown, Seen: "no answer"}},
		{"aws", "one", port.CheckResult{State: port.CheckOK}}, {"prod", "other", port.CheckResult{State: port.CheckOK}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

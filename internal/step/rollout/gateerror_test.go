package rollout

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestGateError(t *testing.T) {
	passed := delivery.GateResult{Gate: "health", Verdict: delivery.Passed}
	smoke := delivery.GateResult{Gate: "smoke: a", Verdict: delivery.Failed, Evidence: "a is 1"}
	second := delivery.GateResult{Gate: "smoke: b", Verdict: delivery.Failed, Evidence: "b is 2"}
	silent := delivery.GateResult{Gate: "health", Verdict: delivery.Unavailable, Evidence: "no response"}
	failed := fault.New(fault.Failed, "smoke: a of r-1: a is 1").Hint("fix it")
	for _, c := range []struct {
		name    string
		results []delivery.GateResult
		err     error
		want    string
	}{
		{"the first one", []delivery.GateResult{passed, smoke, second}, failed, "smoke: a failed at http://x: a is 1"},
		{"unavailable", []delivery.GateResult{silent}, fault.New(fault.Unavailable, "health of r-1: no response"), "health could not be checked at http://x: no response"},
		{"infrastructure", []delivery.GateResult{silent}, fault.New(fault.Unavailable, "the supervisor is gone").Infrastructure(), "at http://x: the supervisor is gone"},
		{"no gate", nil, failed, "at http://x: smoke: a of r-1: a is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := GateError(c.results, c.err, "at http://x")
			if got.Error() != c.want {
				t.Errorf("error = %q, want %q", got, c.want)
			}
			if fault.KindOf(got) != fault.KindOf(c.err) || fault.HintOf(got) != fault.HintOf(c.err) || fault.IsInfrastructure(got) != fault.IsInfrastructure(c.err) {
				t.Errorf("kind %s, hint %q, want those of %v", fault.KindOf(got), fault.HintOf(got), c.err)
			}
		})
	}
}

// loggingTarget has the log of two releases.
type loggingTarget struct{ *fake.Target }

func (loggingTarget) ReplicaLogs(context.Context, string, delivery.Environment, int) ([]string, error) {
	return []string{"12:00:00 r-0-1 | serving", "12:00:01 r-1-1 | loading", "12:00:02 r-1-2 | a | b"}, nil
}

func TestWithLog(t *testing.T) {
	why := fault.New(fault.Failed, "health failed").Hint("fix it")
	s := Session{Target: loggingTarget{&fake.Target{}}}
	got := s.withLog(t.Context(), port.DeployRequest{ID: "r-1"}, why)
	if want := "health failed; its last lines:\n  loading\n  a | b"; got.Error() != want || !fault.Is(got, fault.Failed) || fault.HintOf(got) != "fix it" {
		t.Errorf("error = %q, hint %q, want %q", got, fault.HintOf(got), want)
	}
	if got := s.withLog(t.Context(), port.DeployRequest{ID: "r-2"}, why); got.Error() != "health failed" {
		t.Errorf("error = %q for a release without a log", got)
	}
	outage := fault.New(fault.Unavailable, "gone").Infrastructure()
	if got := s.withLog(t.Context(), port.DeployRequest{ID: "r-1"}, outage); got.Error() != "gone" || !fault.IsInfrastructure(got) {
		t.Errorf("error = %q, want it as it is", got)
	}
}

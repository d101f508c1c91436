package deploy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// unnamed lets all releases respond with a plain "OK".
func unnamed(w *fake.Environment) {
	w.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
		return port.ProbeResponse{Status: http.StatusOK, Body: []byte("OK")}, true, nil
	}
}

// TestRun_UnnamedRelease: a service that does not name its release gets traffic, also
// as a canary, only if the target proves it.
func TestRun_UnnamedRelease(t *testing.T) {
	canary := &step.CanaryParams{Steps: []step.CanaryStep{{Weight: 10, Bake: delivery.Duration(time.Second)}}, NoTraffic: step.AcceptNoTraffic}
	for _, c := range []struct {
		name     string
		unproven error
		verdict  delivery.Verdict
		infra    bool
	}{
		{"proved", nil, delivery.Passed, false},
		{"refuted", fault.New(fault.Failed, "an old replica also responds"), delivery.Failed, false},
		{"not provable", fault.New(fault.Unavailable, "the sockets can't be seen"), delivery.Unavailable, true},
	} {
		for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.Canary} {
			t.Run(c.name+", "+string(strategy), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := fake.NewEnvironment()
					before, rel := w.Release(1), w.Release(2)
					w.Serve(env, "20260101-000000-aaaa", before, time.Now())
					unnamed(w)
					w.Target.Unproven = func(delivery.ReleaseID) error { return c.unproven }
					r := request(step.DeployParams{RolloutParams: step.RolloutParams{Strategy: strategy}, Release: rel.ID, Canary: canary})
					res, err := newStep(w).Run(t.Context(), r)
					if err != nil || (res.Outcome == delivery.OutcomeSucceeded) != (c.verdict == delivery.Passed) || res.InfrastructureFailure != c.infra {
						t.Errorf("outcome = %s (%q), infrastructure %v, error = %v, want the health gate %s", res.Outcome, res.Cause, res.InfrastructureFailure, err, c.verdict)
					}
					if len(res.GateResults) == 0 || res.GateResults[0].Verdict != c.verdict {
						t.Fatalf("gate results = %v, want the first %s", res.GateResults, c.verdict)
					}
					if got := strings.Contains(res.GateResults[0].Evidence, "identity by socket"); got != (c.verdict == delivery.Passed) {
						t.Errorf("evidence = %q", res.GateResults[0].Evidence)
					}
					shifted := slices.ContainsFunc(w.Target.Calls, func(call string) bool {
						return call == "Promote "+string(rel.ID) || call == "SetWeight "+string(rel.ID)
					})
					if shifted != (c.verdict == delivery.Passed) {
						t.Errorf("calls = %q", w.Target.Calls)
					}
				})
			})
		}
	}
}

func TestRun_UnnamedRelease_TargetCantProve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewEnvironment()
		rel := w.Release(1)
		unnamed(w)
		s := newStep(w)
		s.Targets = port.Targets{"local": fake.WithoutTraffic{Target: w.Target}}
		begun := time.Now()
		res, err := s.Run(t.Context(), request(step.DeployParams{Release: rel.ID}))
		if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "can't tell which release responds") || !strings.Contains(res.Hint, "SLIPWAY_RELEASE") {
			t.Errorf("outcome = %s (%q, hint %q), error = %v, want that it fails", res.Outcome, res.Cause, res.Hint, err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %s, want that nothing is waited for", took)
		}
	})
}

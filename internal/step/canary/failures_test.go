package canary

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/bake"
)

func TestRun_ReplicasFail(t *testing.T) {
	for says, set := range map[string]func(s *fixture, now func() bool){ // now: the trouble has begun
		"all of its 1 replicas have exited: exit 1": func(s *fixture, now func() bool) {
			s.Target.ReplicaHealth = func(id delivery.ReleaseID) (port.ReplicaState, string) {
				if now() && id == s.newRelease.ID {
					return port.ReplicaBackoff, "exit 1"
				}
				return port.ReplicaReady, ""
			}
		},
		"the traffic goes to no release": func(s *fixture, now func() bool) {
			s.Target.Lost = func(delivery.ReleaseID) bool { return now() }
		},
		"restarted: exit code 137 (OOMKilled)": func(s *fixture, now func() bool) {
			s.Target.Restarts = func(id delivery.ReleaseID) (int, string) {
				if now() && id == s.newRelease.ID {
					return 2, "exit code 137 (OOMKilled)"
				}
				return 1, "exit code 3" // before it got any traffic
			}
		},
		"none of its replicas is running": func(s *fixture, _ func() bool) {
			time.AfterFunc(10*time.Second, func() { _ = s.Target.Discard(context.Background(), s.order) })
		},
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.traffic(rates{perSecond: 10, beside: 90})
				begun := time.Now()
				set(s, func() bool { return time.Since(begun) >= 10*time.Second })
				answers, err := s.run(t.Context(), step.CanaryParams{Steps: steps(10)})
				wantError(t, err, fault.Failed, says)
				if gate := "canary 10 %: replicas"; len(answers) != 1 || answers[0].Gate != gate {
					t.Errorf("gate results = %v, want one of %q", answers, gate)
				}
				if took := time.Since(begun); took > 12*time.Second {
					t.Errorf("it took %s, want at most 12s", took)
				}
			})
		})
	}
}

// TestRun_RetriesFailedObservations: a look that could not be taken is taken again, but not for ever;
// what asking again does not heal ends it at once.
func TestRun_RetriesFailedObservations(t *testing.T) {
	busy := errors.New("the API server is busy")
	for _, c := range []struct {
		name   string
		method string
		fails  int
		err    error
		kind   fault.Kind
	}{
		{"heals", "Compare", bake.MaxFailures - 1, busy, ""},
		{"traffic does not heal", "Compare", math.MaxInt, busy, fault.Unavailable},
		{"replicas do not heal", "Observe", math.MaxInt, busy, fault.Unavailable},
		{"hopeless", "Compare", math.MaxInt, fault.New(fault.Denied, "pods/proxy is forbidden"), fault.Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.traffic(rates{perSecond: 10, beside: 90})
				end := time.Now().Add(bakeTime)
				fails := 0
				s.Target.Fail = func(method string, _ delivery.ReleaseID) error {
					if method == c.method && fails < c.fails && (c.kind != "" || !time.Now().Before(end)) {
						fails++
						return c.err
					}
					return nil
				}
				answers, err := s.run(t.Context(), step.CanaryParams{Steps: steps(10)})
				wantError(t, err, c.kind, c.err.Error())
				want := map[fault.Kind]int{"": bake.MaxFailures - 1, fault.Unavailable: bake.MaxFailures, fault.Denied: 1}[c.kind]
				if fails != want {
					t.Errorf("%d observations failed, want %d", fails, want)
				}
				if fault.IsInfrastructure(err) != (c.kind != "") {
					t.Errorf("error = %v, want a failure of the infrastructure: %v", err, c.kind != "")
				}
				if c.kind != "" && (len(answers) != 1 || answers[0].Verdict != delivery.Unavailable) {
					t.Errorf("gate results = %v, want one that is %s", answers, delivery.Unavailable)
				}
			})
		})
	}
}

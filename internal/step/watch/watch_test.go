package watch

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

const (
	env = delivery.Environment("prod")
	run = delivery.RunID("20260102-000000-bbbb")
)

type fixture struct {
	*fake.Environment
	target                 port.Target
	log                    port.RecordLog
	models                 port.ModelRegistry
	monitors               step.Monitors
	oldRelease, newRelease delivery.ReleaseRecord
	deployed               step.DeployOutput
	verified               step.DeployOutput
}

// newFixture returns a fixture whose old release is accepted, and whose new one receives the traffic but is not accepted.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := &fixture{Environment: fake.NewEnvironment()}
	s.target = s.Target
	s.oldRelease, s.newRelease = s.Release(1), s.Release(2)
	s.Serve(env, "20260101-000000-aaaa", s.oldRelease, time.Now())
	d, err := s.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: s.newRelease.ID, Run: run})
	if err != nil {
		t.Fatal(err)
	}
	o := port.DeployRequest{Service: "api", Environment: env, ID: s.newRelease.ID, Release: s.newRelease.Release}
	_, _ = s.Target.Stage(t.Context(), o, nil)
	_, _ = s.Target.Promote(t.Context(), o, nil)
	s.deployed = step.DeployOutput{Release: s.newRelease.ID, Deployment: d.ID, URL: fake.StableURL(env), Since: time.Now()}
	return s
}

func (s *fixture) watch(ctx context.Context, w step.WatchParams) (step.Result, error) {
	w.Target = "local"
	with, _ := json.Marshal(w)
	given, _ := json.Marshal(s.deployed)
	verified, _ := json.Marshal(s.verified)
	st := Step{rollout.Services{Targets: port.Targets{"local": s.target}, Releases: s.Records.Releases(), Deployments: s.Records.Deployments(), Log: s.log, Models: s.models, Monitors: s.monitors}}
	return st.Run(ctx, step.Request{
		Run: run, Service: "api", Environment: env, Spec: step.Spec{Name: "watch", Params: with},
		Inputs: map[string]json.RawMessage{"deploy": given, "verify": verified},
	})
}

// setTraffic lets traffic be seen once the time has come.
func (s *fixture) setTraffic(d time.Duration, t port.Traffic) {
	at := time.Now().Add(d)
	s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic {
		if time.Now().Before(at) {
			return port.Traffic{}
		}
		return t
	}
}

func TestRun_Thresholds(t *testing.T) {
	const minute = time.Minute
	fine := port.Traffic{Requests: 1000, Errors: 10, P95: 80 * time.Millisecond}
	cases := []struct {
		name    string
		with    step.WatchThresholds
		when    time.Duration
		seen    port.Traffic
		outcome delivery.Outcome
		took    time.Duration // about
		verdict delivery.Verdict
		says    string
	}{
		{"all is well", step.WatchThresholds{P95: delivery.Duration(80 * time.Millisecond)}, 0, fine, delivery.OutcomeSucceeded, minute, delivery.Passed, "10 of 1000 requests failed"},
		{"one error too many", step.WatchThresholds{}, 20 * time.Second, port.Traffic{Requests: 1000, Errors: 11}, delivery.OutcomeFailed, 20 * time.Second, delivery.Failed, "11 of 1000 requests failed (1.10 %)"},
		{"slow", step.WatchThresholds{P95: delivery.Duration(79 * time.Millisecond)}, 10 * time.Second, fine, delivery.OutcomeFailed, 10 * time.Second, delivery.Failed, "p95 is 80ms"},
		{"a breach in the last moment", step.WatchThresholds{}, 60 * time.Second, port.Traffic{Requests: 2, Errors: 2}, delivery.OutcomeFailed, minute, delivery.Failed, "2 of 2"},
		{"too few to judge", step.WatchThresholds{MinRequests: 20}, 0, port.Traffic{Requests: 19, Errors: 19}, delivery.OutcomeSucceeded, minute, delivery.Unavailable, "not enough requests: 19 of 20"},
		{"too few, and that fails", step.WatchThresholds{MinRequests: 20, NoTraffic: "fail"}, 0, port.Traffic{Requests: 19}, delivery.OutcomeFailed, minute, delivery.Unavailable, "not enough requests"},
		{"no traffic", step.WatchThresholds{}, 0, port.Traffic{}, delivery.OutcomeSucceeded, minute, delivery.Unavailable, "no traffic in 1m0s"},
		{"no traffic, and that fails", step.WatchThresholds{NoTraffic: "fail"}, 0, port.Traffic{}, delivery.OutcomeFailed, minute, delivery.Unavailable, "no traffic"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.setTraffic(c.when, c.seen)
				begun := time.Now()
				res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(minute), Thresholds: c.with})
				if err != nil || res.Outcome != c.outcome {
					t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, c.outcome)
				}
				if text := res.Summary + res.Cause; !strings.Contains(text, c.says) {
					t.Errorf("summary and cause = %q, want %q in them", text, c.says)
				}
				if took := time.Since(begun); took < c.took || took > c.took+2*time.Second {
					t.Errorf("it took %s, want about %s", took, c.took)
				}
				if len(res.GateResults) == 0 || res.GateResults[len(res.GateResults)-1].Verdict != c.verdict {
					t.Errorf("gate results = %v, want the last to be %s", res.GateResults, c.verdict)
				}
				s.wantAccepted(t, c.outcome == delivery.OutcomeSucceeded)
			})
		})
	}
}

func (s *fixture) wantAccepted(t *testing.T, yes bool) {
	t.Helper()
	d, _, _ := s.Records.Deployments().Current(t.Context(), env)
	if got := d.Release == s.newRelease.ID; got != yes {
		t.Errorf("recorded as accepted: %v, want %v", got, yes)
	}
}

// TestRun_ResumesAfterRestart goes on where it was: the time that passed counts.
func TestRun_ResumesAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		with := step.WatchParams{Bake: delivery.Duration(time.Minute)}
		if _, err := s.watch(ctx, with); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error = %v, want %v", err, context.DeadlineExceeded)
		}
		begun := time.Now()
		if res, err := s.watch(t.Context(), with); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
		}
		if took := time.Since(begun); took != 20*time.Second {
			t.Errorf("the bake went on for %s, want the 20s that were left", took)
		}
		// Accepted before a crash: nothing is judged again.
		s.setTraffic(0, port.Traffic{Requests: 9, Errors: 9})
		if res, err := s.watch(t.Context(), with); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantAccepted(t, true)
	})
}

func TestRun_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				with := step.WatchParams{Bake: delivery.Duration(time.Second)}
				s.SetFuse(fake.NewFuse(at, after))
				killed = fake.Survive(func() { _, _ = s.watch(t.Context(), with) })
				s.SetFuse(nil)
				if res, err := s.watch(t.Context(), with); err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Errorf("killed at %d, after %v: outcome = %s (%q), error = %v, want %s", at, after, res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
				}
				s.wantAccepted(t, true)
			})
		}
	}
}

// TestRun_Identity: what verify proved by the target has to hold during the bake. A
// service that names its release needs no proof.
func TestRun_Identity(t *testing.T) {
	for _, c := range []struct {
		name     string
		by       port.ProofMethod
		unproven error // after a while
		outcome  delivery.Outcome
		verdict  delivery.Verdict // of the last gate
		says     string
	}{
		{"proved", port.ProofByPod, nil, delivery.OutcomeSucceeded, delivery.Unavailable, "no traffic"},
		{"another release behind the address", port.ProofByPod, fault.New(fault.Failed, "pod api-0 of r-old"), delivery.OutcomeFailed, delivery.Failed, "pod api-0 of r-old"},
		{"not provable any more", port.ProofByPod, fault.New(fault.Unavailable, "no permission"), delivery.OutcomeFailed, delivery.Unavailable, "no permission"},
		{"named", "", fault.New(fault.Failed, "pod api-0 of r-old"), delivery.OutcomeSucceeded, delivery.Unavailable, "no traffic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.verified = s.deployed
				s.verified.Identity = c.by
				begun := time.Now()
				s.Target.Unproven = func(delivery.ReleaseID) error {
					if time.Since(begun) > 20*time.Second {
						return c.unproven
					}
					return nil
				}
				res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute)})
				if err != nil || res.Outcome != c.outcome || len(res.GateResults) == 0 {
					t.Fatalf("outcome = %s (%q), gates %v, error = %v, want %s", res.Outcome, res.Cause, res.GateResults, err, c.outcome)
				}
				last := res.GateResults[len(res.GateResults)-1]
				if last.Verdict != c.verdict || !strings.Contains(last.Evidence, c.says) {
					t.Errorf("last gate = %+v, want %s with %q", last, c.verdict, c.says)
				}
				s.wantAccepted(t, c.outcome == delivery.OutcomeSucceeded)
			})
		})
	}
}

func TestRun_ReleaseLostDuringBake(t *testing.T) {
	cases := map[string]func(*fixture){
		"the traffic goes to no release": func(s *fixture) { s.Target.Lost = func(delivery.ReleaseID) bool { return true } },
		"replicas have exited: exit 1": func(s *fixture) {
			s.Target.ReplicaHealth = func(delivery.ReleaseID) (port.ReplicaState, string) { return port.ReplicaExited, "exit 1" }
		},
		"investigate: watch: traffic could not be checked": func(s *fixture) {
			s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m == "Traffic" {
					return errors.New("metrics not available")
				}
				return nil
			}
		},
	}
	for says, set := range cases {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				set(s)
				begun := time.Now()
				res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Hour)})
				if err != nil || res.Outcome != delivery.OutcomeFailed {
					t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Summary, err, delivery.OutcomeFailed)
				}
				if !strings.Contains(res.Cause, says) {
					t.Errorf("cause = %q, want %q in it", res.Cause, says)
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("it took %s, want at most 10s", took)
				}
				s.wantAccepted(t, false)
			})
		})
	}
}

// TestRun_RepeatsFailedLastObservation: a last look that could not be taken is taken again.
func TestRun_RepeatsFailedLastObservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		end := time.Now().Add(10 * time.Second)
		fails := 0
		s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
			if m == "Traffic" && !time.Now().Before(end) && fails < 2 {
				fails++
				return errors.New("busy")
			}
			return nil
		}
		s.setTraffic(0, port.Traffic{Requests: 5, Errors: 5})
		s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic {
			if fails < 2 {
				return port.Traffic{Requests: 5}
			}
			return port.Traffic{Requests: 10, Errors: 5}
		}
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(10 * time.Second)})
		if err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeFailed)
		}
		if fails != 2 {
			t.Errorf("%d failed observations, want 2", fails)
		}
	})
}

func TestRun_WithoutTrafficReporterOrBake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.target = fake.WithoutTraffic{Target: s.Target}
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Second), Thresholds: step.WatchThresholds{NoTraffic: "fail"}})
		if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "does not measure") {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed, "does not measure")
		}
		begun := time.Now()
		s.target = s.Target
		res, err = s.watch(t.Context(), step.WatchParams{Thresholds: step.WatchThresholds{NoTraffic: "fail"}})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("without a bake it took %s, want 0s", took)
		}
		if _, err := s.watch(t.Context(), step.WatchParams{Thresholds: step.WatchThresholds{NoTraffic: "maybe"}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("error = %v, want %s", err, fault.Invalid)
		}
	})
}

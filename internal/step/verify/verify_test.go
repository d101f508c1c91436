package verify

import (
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

const env = delivery.Environment("prod")

type fixture struct {
	*fake.Environment
	oldRelease, newRelease delivery.ReleaseRecord
	asked                  int
}

// newFixture has fresh take the place of old.
func newFixture() *fixture {
	s := &fixture{Environment: fake.NewEnvironment()}
	s.oldRelease, s.newRelease = s.Release(1), s.Release(2)
	s.Serve(env, "20260101-000000-aaaa", s.oldRelease, time.Now())
	s.Serve(env, "20260102-000000-bbbb", s.newRelease, time.Now())
	return s
}

func (s *fixture) run(t *testing.T, w step.VerifyParams, given bool) (step.Result, error) {
	t.Helper()
	w.Target = "local"
	with, _ := json.Marshal(w)
	r := step.Request{Run: "20260102-000000-bbbb", Service: "api", Environment: env, Spec: step.Spec{Name: "verify", Params: with}}
	if given {
		d, _ := json.Marshal(step.DeployOutput{Release: s.newRelease.ID, Deployment: 2, URL: fake.StableURL(env)})
		r.Inputs = map[string]json.RawMessage{"deploy": d}
	}
	v := Step{rollout.Services{
		Targets: port.Targets{"local": s.Target}, Prober: s.Prober, Releases: s.Records.Releases(), Deployments: s.Records.Deployments(),
	}}
	return v.Run(t.Context(), r)
}

// script answers by the number of the question; after the last, the last again.
func (s *fixture) script(answers ...func() (port.ProbeResponse, bool, error)) {
	s.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
		s.asked++
		return answers[min(s.asked, len(answers))-1]()
	}
}

func (s *fixture) responds(rel delivery.ReleaseRecord, status string) func() (port.ProbeResponse, bool, error) {
	return func() (port.ProbeResponse, bool, error) {
		return fake.HealthResponse(status, rel.ID, rel.Release.Model), true, nil
	}
}

func silent() (port.ProbeResponse, bool, error) {
	return port.ProbeResponse{}, false, fault.New(fault.Unavailable, "connection refused")
}

func TestRun(t *testing.T) {
	type script = func(s *fixture) []func() (port.ProbeResponse, bool, error)
	cases := []struct {
		name    string
		answers script
		healthy int
		outcome delivery.Outcome
		asked   int // 0: not counted
		says    string
		verdict delivery.Verdict
	}{
		{"well at once", func(s *fixture) []func() (port.ProbeResponse, bool, error) {
			return []func() (port.ProbeResponse, bool, error){s.responds(s.newRelease, "ok")}
		}, 3, delivery.OutcomeSucceeded, 3, "", delivery.Passed},
		{"an old replica resets the count", func(s *fixture) []func() (port.ProbeResponse, bool, error) {
			f, o := s.responds(s.newRelease, "ok"), s.responds(s.oldRelease, "ok")
			return []func() (port.ProbeResponse, bool, error){f, f, o, f, f, o, f, f, f}
		}, 3, delivery.OutcomeSucceeded, 9, "", delivery.Passed},
		{"so do silence and sickness", func(s *fixture) []func() (port.ProbeResponse, bool, error) {
			f := s.responds(s.newRelease, "ok")
			return []func() (port.ProbeResponse, bool, error){f, silent, f, s.responds(s.newRelease, "degraded"), f, f}
		}, 2, delivery.OutcomeSucceeded, 6, "", delivery.Passed},
		{"only the old one answers", func(s *fixture) []func() (port.ProbeResponse, bool, error) {
			return []func() (port.ProbeResponse, bool, error){s.responds(s.oldRelease, "ok")}
		}, 1, delivery.OutcomeFailed, 0, "responded, not r-", delivery.Failed},
		{"no response", func(*fixture) []func() (port.ProbeResponse, bool, error) {
			return []func() (port.ProbeResponse, bool, error){silent}
		}, 1, delivery.OutcomeFailed, 0, "no response: connection refused", delivery.Unavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture()
				s.script(c.answers(s)...)
				begun := time.Now()
				res, err := s.run(t, step.VerifyParams{
					RolloutParams: step.RolloutParams{Timeout: delivery.Duration(20 * time.Second)},
					ProbeParams:   step.ProbeParams{SuccessThreshold: c.healthy},
				}, true)
				if err != nil || res.Outcome != c.outcome {
					t.Errorf("outcome = %s, error = %v, want %s", res.Outcome, err, c.outcome)
				}
				if !strings.Contains(res.Cause, c.says) {
					t.Errorf("cause = %q, want %q in it", res.Cause, c.says)
				}
				if c.asked > 0 && s.asked != c.asked {
					t.Errorf("asked %d times, want %d", s.asked, c.asked)
				}
				took := time.Since(begun)
				if took > 20*time.Second {
					t.Errorf("it took %s, want at most the timeout of 20s", took)
				}
				if c.outcome == delivery.OutcomeFailed && took < 20*time.Second {
					t.Errorf("it failed after %s, want the timeout of 20s used", took)
				}
				if len(res.GateResults) != 1 || res.GateResults[0].Verdict != c.verdict {
					t.Errorf("gate results = %v, want one that is %s", res.GateResults, c.verdict)
				}
			})
		})
	}
}

// TestRun_StopsEarly: what can't become well is not waited for.
func TestRun_StopsEarly(t *testing.T) {
	cases := map[string]func(*fixture){
		"all of its 1 replicas have exited: exit 137": func(s *fixture) {
			s.Target.ReplicaHealth = func(delivery.ReleaseID) (port.ReplicaState, string) { return port.ReplicaBackoff, "exit 137" }
			s.script(silent)
		},
		"the traffic goes to no release": func(s *fixture) {
			s.Target.Lost = func(delivery.ReleaseID) bool { return true }
			s.script(silent)
		},
		"model version": func(s *fixture) {
			s.script(func() (port.ProbeResponse, bool, error) {
				return fake.HealthResponse("ok", s.newRelease.ID, &delivery.ModelRef{Version: 1}), true, nil
			})
		},
	}
	for says, set := range cases {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture()
				set(s)
				begun := time.Now()
				res, err := s.run(t, step.VerifyParams{}, true)
				if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, says) {
					t.Errorf("outcome = %s (%q), error = %v, want %s with %q", res.Outcome, res.Cause, err, delivery.OutcomeFailed, says)
				}
				if took := time.Since(begun); took > time.Second {
					t.Errorf("it took %s, want at most 1s", took)
				}
			})
		})
	}
}

func TestRun_SmokeChecks(t *testing.T) {
	cases := []struct {
		name  string
		check step.Check
		reply port.ProbeResponse
		err   error
		want  delivery.Verdict
	}{
		{"as expected", step.Check{Path: "/predict", JSON: `{"a":1}`, Expect: []string{`body.model_version == model_version`, `status == 201`, `headers["x-release"] == release`}, Status: 201}, port.ProbeResponse{Status: 201}, nil, delivery.Passed},
		{"another status", step.Check{Path: "/predict"}, port.ProbeResponse{Status: 500}, nil, delivery.Failed},
		{"another body", step.Check{Path: "/predict", Expect: []string{`body.class == "LA"`}}, port.ProbeResponse{Status: 200}, nil, delivery.Failed},
		{"silence", step.Check{Path: "/predict"}, port.ProbeResponse{}, errors.New("reset"), delivery.Unavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture()
				s.Prober.Respond = func(id delivery.ReleaseID, path string, q port.ProbeRequest) (port.ProbeResponse, bool, error) {
					r := c.reply
					r.Body = []byte(`{"class":"MM","model_version":"2"}`)
					r.Header = map[string][]string{"X-Release": {string(id)}}
					if path == "/predict" && c.check.JSON != "" && (q.Method != "POST" || string(q.Body) != c.check.JSON) {
						return port.ProbeResponse{Status: 400}, true, nil
					}
					return r, path == "/predict", pathErr(path, c.err)
				}
				res, err := s.run(t, step.VerifyParams{ProbeParams: step.ProbeParams{Checks: []step.Check{c.check}}}, true)
				if err != nil || len(res.GateResults) != 2 || res.GateResults[1].Verdict != c.want {
					t.Errorf("gates = %v, error = %v, want the smoke check %s", res.GateResults, err, c.want)
				}
				if (res.Outcome == delivery.OutcomeSucceeded) != (c.want == delivery.Passed) {
					t.Errorf("outcome = %s for a smoke check that is %s", res.Outcome, c.want)
				}
			})
		})
	}
}

func pathErr(path string, err error) error {
	if path == "/predict" {
		return err
	}
	return nil
}

// TestRun_UnnamedRelease: a service that does not name its release is verified by the
// target's proof, which the output names.
func TestRun_UnnamedRelease(t *testing.T) {
	for _, c := range []struct {
		name     string
		unproven error
		verdict  delivery.Verdict
	}{
		{"proved", nil, delivery.Passed},
		{"refuted", fault.New(fault.Failed, "pod api-0 of the old release is behind the Service"), delivery.Failed},
		{"not provable", fault.New(fault.Unavailable, "no permission to list EndpointSlices"), delivery.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture()
				s.script(func() (port.ProbeResponse, bool, error) { return port.ProbeResponse{Status: 204}, true, nil })
				s.Target.Unproven = func(delivery.ReleaseID) error { return c.unproven }
				res, err := s.run(t, step.VerifyParams{}, false)
				if err != nil || len(res.GateResults) != 1 || res.GateResults[0].Verdict != c.verdict || (res.Outcome == delivery.OutcomeSucceeded) != (c.verdict == delivery.Passed) {
					t.Fatalf("outcome = %s (%q), gates %v, error = %v, want %s", res.Outcome, res.Cause, res.GateResults, err, c.verdict)
				}
				if res.Outcome != delivery.OutcomeSucceeded {
					return
				}
				var out step.DeployOutput
				if err := json.Unmarshal(res.Output, &out); err != nil || out.Identity != port.ProofBySocket {
					t.Errorf("output = %s (%v), want the identity by %s", res.Output, err, port.ProofBySocket)
				}
			})
		})
	}
}

// TestRun_WithoutDeployment is `slipway verify`.
func TestRun_WithoutDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture()
		res, err := s.run(t, step.VerifyParams{}, false)
		if err != nil || res.Outcome != delivery.OutcomeSucceeded || !strings.Contains(res.Summary, string(s.newRelease.ID)) {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded, string(s.newRelease.ID))
		}
		if res, err := s.run(t, step.VerifyParams{Release: s.oldRelease.ID}, false); err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Errorf("a release without traffic: outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeFailed)
		}
		empty := &fixture{Environment: fake.NewEnvironment()}
		if _, err := empty.run(t, step.VerifyParams{}, false); !fault.Is(err, fault.NotFound) {
			t.Errorf("nothing deployed: error = %v, want %s", err, fault.NotFound)
		}
	})
}

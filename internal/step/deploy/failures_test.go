package deploy

import (
	"context"
	"errors"
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

func TestRun_AlreadyDeployed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewEnvironment()
		rel := w.Release(1)
		at := time.Now()
		d := w.Serve(env, "20260101-000000-aaaa", rel, at)
		res, err := newStep(w).Run(t.Context(), request(step.DeployParams{Release: rel.ID}))
		got := outputOf(t, res)
		if err != nil || !got.AlreadyDeployed || got.Deployment != d.ID || !got.Since.Equal(at) {
			t.Errorf("output = %+v, error = %v, want the deployment %d since %s", got, err, d.ID, at)
		}
		// Records alone are not enough: after a loss it is brought in again.
		w.Target.Lost = func(delivery.ReleaseID) bool { return true }
		w.Target.Calls = nil
		_, err = newStep(w).Run(t.Context(), request(step.DeployParams{Release: rel.ID}))
		if err != nil || !slices.Contains(w.Target.Calls, "Stage "+string(rel.ID)) {
			t.Errorf("error = %v, calls %q, want it staged again", err, w.Target.Calls)
		}
	})
}

func TestRun_Failures(t *testing.T) {
	say := func(answer func(id delivery.ReleaseID, path string) (port.ProbeResponse, bool)) func(*fake.Environment) {
		return func(w *fake.Environment) {
			w.Prober.Respond = func(id delivery.ReleaseID, path string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
				r, ok := answer(id, path)
				return r, ok, nil
			}
		}
	}
	cases := []struct {
		name   string
		set    func(*fake.Environment)
		says   string
		within time.Duration // of the fake clock
	}{
		{"can't start", func(w *fake.Environment) {
			w.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m == "Stage" {
					return fault.New(fault.Failed, "exit 1: no such file model.json")
				}
				return nil
			}
		}, "no such file model.json", 0},
		{"another model", say(func(id delivery.ReleaseID, _ string) (port.ProbeResponse, bool) {
			return fake.HealthResponse("ok", id, &delivery.ModelRef{Version: 1}), true
		}), `model version "1", not 2`, time.Second},
		{"another release", say(func(_ delivery.ReleaseID, _ string) (port.ProbeResponse, bool) {
			return fake.HealthResponse("ok", "r-eeeeeeeeeeee", &delivery.ModelRef{Version: 2}), true
		}), "release r-eeeeeeeeeeee responded", time.Second},
		{"no health", say(func(delivery.ReleaseID, string) (port.ProbeResponse, bool) {
			return port.ProbeResponse{Status: 404}, true
		}), "/health returned 404", time.Second},
		{"never well", say(func(delivery.ReleaseID, string) (port.ProbeResponse, bool) {
			return port.ProbeResponse{Status: 503, Body: []byte("warming up")}, true
		}), `returned 503: "warming up"`, 61 * time.Second},
		{"smoke", say(func(_ delivery.ReleaseID, path string) (port.ProbeResponse, bool) {
			return port.ProbeResponse{Status: 200, Body: []byte(`{"class":"XX"}`)}, path == "/predict"
		}), "smoke: predict", time.Second},
		{"can't promote", func(w *fake.Environment) {
			w.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m == "Promote" {
					return errors.New("proxy is gone")
				}
				return nil
			}
		}, "proxy is gone", time.Second},
		{"promoted in vain", func(w *fake.Environment) { w.Target.Lost = func(delivery.ReleaseID) bool { return true } }, "no release receives the traffic", time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				rel := w.Release(2)
				c.set(w)
				begun := time.Now()
				r := request(step.DeployParams{Release: rel.ID, ProbeParams: step.ProbeParams{Checks: []step.Check{{Name: "predict", Path: "/predict", JSON: "{}", Expect: []string{`body.class == "LA"`}}}}})
				if c.name == "can't promote" || c.name == "promoted in vain" {
					r = request(step.DeployParams{Release: rel.ID})
				}
				res, err := newStep(w).Run(t.Context(), r)
				if err != nil || res.Outcome != delivery.OutcomeFailed {
					t.Errorf("outcome = %s, error = %v, want %s", res.Outcome, err, delivery.OutcomeFailed)
				}
				if !strings.Contains(res.Cause, c.says) {
					t.Errorf("cause = %q, want %q in it", res.Cause, c.says)
				}
				if took := time.Since(begun); took > c.within {
					t.Errorf("it took %s to see it, want at most %s", took, c.within)
				}
				if serving, _ := w.Target.Running(env); serving != "" && c.name != "promoted in vain" {
					t.Errorf("%q receives the traffic, want no release", serving)
				}
			})
		})
	}
}

func TestRun_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewEnvironment()
		rel := w.Release(1)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		w.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
			cancel(why)
			return port.ProbeResponse{Status: 503}, true, nil
		}
		if _, err := newStep(w).Run(ctx, request(step.DeployParams{Release: rel.ID})); !errors.Is(err, why) {
			t.Errorf("error = %v, want %v", err, why)
		}
	})
}

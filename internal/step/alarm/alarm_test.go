package alarm

import (
	"context"
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
)

var own = port.Alarm{Name: "slipway/api/prod/p95", Metric: "latency", Periods: 3, Breaching: 2, Threshold: 200}

// newGuard returns the guard of an environment with an alarm of its own and one of others,
// which is OK.
func newGuard(t *testing.T, change func(*step.AlarmParams)) (*Guard, *fake.Alarms) {
	t.Helper()
	service := &fake.Alarms{}
	service.Set("theirs", port.AlarmOK)
	params := step.AlarmParams{Own: []port.Alarm{own}, Named: []string{"theirs"}, Within: delivery.Duration(5 * time.Minute)}
	if change != nil {
		change(&params)
	}
	monitors := func(delivery.Location) (port.Alarms, port.Meter, error) { return service, service, nil }
	g, err := New(monitors, &params, step.Request{Service: "api", Environment: "prod"}, step.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	return g, service
}

func TestGuard_Before(t *testing.T) {
	fails := func(p *step.AlarmParams) { p.NoTraffic = step.FailNoTraffic }
	for _, tt := range []struct {
		name    string
		params  func(*step.AlarmParams)
		set     func(*fake.Alarms)
		running bool
		took    time.Duration
		says    string // empty: no error
	}{
		{"of another owner", nil, func(a *fake.Alarms) { a.Set(own.Name, port.AlarmOK) }, true, 0, "of another owner"},
		{"first datapoint after a while", nil, func(a *fake.Alarms) { time.AfterFunc(25*time.Second, func() { a.AddValue(own, 10, 0) }) }, true, 30 * time.Second, ""},
		{"no datapoint, accepted", nil, func(*fake.Alarms) {}, true, 5 * time.Minute, ""},
		{"no datapoint, and that fails", fails, func(*fake.Alarms) {}, true, 5 * time.Minute, "has no data (INSUFFICIENT_DATA) after 5m0s, and no_traffic is fail"},
		{"nothing is deployed that could publish", fails, func(*fake.Alarms) {}, false, 0, ""},
		{"probes begin with the bake", func(p *step.AlarmParams) { fails(p); p.Synthetic = &step.SyntheticParams{} }, func(*fake.Alarms) {}, true, 0, ""},
		{"raised already", nil, func(a *fake.Alarms) { a.Set("theirs", port.AlarmRaised) }, true, 0, "before the deployment, alarm theirs is in ALARM: Threshold Crossed"},
		{"muted, and raised all the same", nil, func(a *fake.Alarms) { a.Set("theirs", port.AlarmRaised); a.Mute("theirs") }, false, 0, "hides its actions and not its state"},
		{"missing", nil, func(a *fake.Alarms) { a.Remove("theirs") }, false, 0, "alarm theirs does not exist"},
		{"unavailable", nil, func(a *fake.Alarms) { a.Break(fault.New(fault.Unavailable, "no response")) }, false, 0, "no response"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, service := newGuard(t, tt.params)
				tt.set(service)
				begun := time.Now()
				err := g.Before(t.Context(), tt.running)
				if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v, want %q", err, tt.says)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if err != nil && !fault.Is(err, fault.Conflict) && !fault.IsInfrastructure(err) {
					t.Errorf("%v is a verdict on the release", err)
				}
			})
		})
	}
}

// The alarms are asked every ten seconds, and one that is raised ends the rollout.
func TestGuard_During(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, service := newGuard(t, nil)
		time.AfterFunc(25*time.Second, func() { service.Set("theirs", port.AlarmRaised) })
		begun := time.Now()
		results, err := g.During(t.Context(), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !fault.Is(err, fault.Failed) || fault.IsInfrastructure(err) || !strings.Contains(err.Error(), "during the rollout, alarm theirs is in ALARM") || len(results) != 2 {
			t.Errorf("results %+v, error %v", results, err)
		}
		if took := time.Since(begun); took != 30*time.Second || service.Asked() != 3 {
			t.Errorf("took %s, asked %d times", took, service.Asked())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g, service := newGuard(t, nil)
		service.Break(errors.New("no response"))
		_, err := g.During(t.Context(), func(context.Context) error { time.Sleep(time.Hour); return nil })
		if err != nil || service.Asked() != 359 && service.Asked() != 360 {
			t.Errorf("error %v, asked %d times: what can't be asked is left to the watch", err, service.Asked())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(t, nil)
		failed := errors.New("failed")
		if _, err := g.During(t.Context(), func(context.Context) error { return failed }); !errors.Is(err, failed) {
			t.Errorf("error %v, want that of the work", err)
		}
	})
}

func TestGuard_Observe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, service := newGuard(t, func(p *step.AlarmParams) { p.Own = nil })
		for range 10 {
			if o, err := g.Observe(t.Context(), false); err != nil || o.Raised != "" || o.Progress() != "1 alarms ok" {
				t.Errorf("%+v, %v", o, err)
			}
			time.Sleep(2 * time.Second)
		}
		if n := service.Asked(); n != 2 {
			t.Errorf("asked %d times in 20 s, want 2", n)
		}
		service.Mute("theirs")
		o, err := g.Observe(t.Context(), true)
		if err != nil || o.Results[0].Verdict != delivery.Passed || !strings.Contains(o.Results[0].Evidence, "is OK (rule night, which hides its actions and not its state)") {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

func TestGuard_None(t *testing.T) {
	g, err := New(nil, nil, step.Request{}, step.Clock{})
	if err != nil || g.Before(t.Context(), true) != nil {
		t.Error(err)
	}
	if o, err := g.Observe(t.Context(), true); err != nil || len(o.Results) > 0 {
		t.Error(o, err)
	}
	if _, err := New(nil, &step.AlarmParams{}, step.Request{}, step.Clock{}); !fault.Is(err, fault.Internal) {
		t.Errorf("error %v without a service to ask", err)
	}
}

// prober answers every second request.
type prober struct{ n int }

func (p *prober) Probe(_ context.Context, r port.ProbeRequest) (port.ProbeResponse, error) {
	if p.n++; p.n%2 == 0 {
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "%s refused", r.URL)
	}
	return port.ProbeResponse{Status: 200, Latency: 30 * time.Millisecond}, nil
}

func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &fake.Alarms{}
		monitors := func(delivery.Location) (port.Alarms, port.Meter, error) { return service, service, nil }
		params := &step.AlarmParams{Synthetic: &step.SyntheticParams{Path: "/health", Dimensions: map[string]string{"Service": "api"}}}
		p, err := NewProbes(monitors, &prober{}, params, step.Request{}, step.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			p.Probe(t.Context(), "http://x", i == 3)
			time.Sleep(2 * time.Second)
		}
		sums := map[string]float64{}
		for _, m := range service.Measured() {
			sums[m.Metric] += m.Value
			if !m.Fine || m.Dimensions["Service"] != "api" {
				t.Errorf("%+v", m)
			}
		}
		if sums[step.ProbeRequests] != 4 || sums[step.ProbeErrors] != 2 || sums[step.ProbeLatency] != 60 {
			t.Errorf("measured %v", sums)
		}
		service.Break(errors.New("no response"))
		p.Probe(t.Context(), "http://x", true) // said in the log, and no failure
	})
}

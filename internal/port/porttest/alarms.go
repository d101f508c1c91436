package porttest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// AlarmsFixture is a monitoring service without alarms.
type AlarmsFixture struct {
	Alarms port.Alarms
	// Publish stores one value of an alarm's metric, and of the one it is divided by.
	Publish func(a port.Alarm, value, per float64)
	// Pass lets the time of the service pass.
	Pass func(time.Duration)
	// Mute hides the actions of an alarm.
	Mute func(name string)
	// Remove removes an alarm behind the adapter's back, Foreign makes one of another
	// owner.
	Remove, Foreign func(name string)
	// Break makes the service unreachable.
	Break func()
}

func latencyAlarm(env string) port.Alarm {
	return port.Alarm{
		Name: "slipway/retail/" + env + "/p95", Namespace: "Retail", Metric: "latency", Statistic: "p95", Unit: "Milliseconds",
		Dimensions: map[string]string{"Service": "retail", "Environment": env},
		Period:     delivery.Duration(10 * time.Second), Periods: 3, Breaching: 2, Threshold: 200,
	}
}

func errorAlarm(env string) port.Alarm {
	a := latencyAlarm(env)
	a.Name, a.Metric, a.Per, a.Statistic, a.Unit, a.Threshold = "slipway/retail/"+env+"/error_rate", "errors", "requests", "Sum", "Count", 0.01
	return a
}

// TestAlarms is the suite of port.Alarms.
func TestAlarms(t *testing.T, start func(t *testing.T) AlarmsFixture) {
	owner := port.AlarmOwner{Service: "retail", Environment: "prod"}
	ensure := func(t *testing.T, f AlarmsFixture, o port.AlarmOwner, want []string, alarms ...port.Alarm) {
		t.Helper()
		changed, err := f.Alarms.Ensure(t.Context(), o, alarms)
		slices.Sort(changed)
		if err != nil || !cmp.Equal(changed, want, cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })) {
			t.Errorf("changed %q, %v, want %q", changed, err, want)
		}
	}
	states := func(t *testing.T, f AlarmsFixture, want map[string]port.AlarmState, names ...string) []port.AlarmStatus {
		t.Helper()
		got, err := f.Alarms.States(t.Context(), names)
		if err != nil || len(got) != len(names) {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, s := range got {
			if s.Name != names[i] || s.State != want[s.Name] {
				t.Errorf("alarm %s: %+v, want %s", names[i], s, want[names[i]])
			}
		}
		return got
	}
	p95, errors, dev := latencyAlarm("prod"), errorAlarm("prod"), latencyAlarm("dev")

	t.Run("made once, changed and removed", func(t *testing.T) {
		f := start(t)
		ensure(t, f, owner, []string{errors.Name, p95.Name}, p95, errors)
		ensure(t, f, owner, nil, p95, errors)
		stricter := p95
		stricter.Threshold = 100
		ensure(t, f, owner, []string{p95.Name}, stricter, errors)
		ensure(t, f, port.AlarmOwner{Service: "retail", Environment: "dev"}, []string{dev.Name}, dev)
		ensure(t, f, owner, []string{errors.Name}, stricter)
		states(t, f, map[string]port.AlarmState{errors.Name: port.AlarmMissing, p95.Name: port.AlarmNoData, dev.Name: port.AlarmNoData}, p95.Name, errors.Name, dev.Name)
	})
	t.Run("alarm of another owner", func(t *testing.T) {
		f := start(t)
		f.Foreign(p95.Name)
		if changed, err := f.Alarms.Ensure(t.Context(), owner, []port.Alarm{errors, p95}); !fault.Is(err, fault.Conflict) || len(changed) > 0 {
			t.Errorf("changed %q, %v, want %s", changed, err, fault.Conflict)
		}
		states(t, f, map[string]port.AlarmState{errors.Name: port.AlarmMissing}, errors.Name)
	})
	t.Run("states by exact dimensions", func(t *testing.T) {
		f := start(t)
		ensure(t, f, owner, []string{errors.Name, p95.Name}, p95, errors)
		for range 3 {
			f.Publish(dev, 900, 0)
			f.Publish(p95, 100, 0)
			f.Publish(errors, 50, 100)
			f.Pass(10 * time.Second)
		}
		got := states(t, f, map[string]port.AlarmState{p95.Name: port.AlarmOK, errors.Name: port.AlarmRaised, "other": port.AlarmMissing}, p95.Name, errors.Name, "other")
		if got[1].Reason == "" || got[0].Muted != "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("muted and removed", func(t *testing.T) {
		f := start(t)
		ensure(t, f, owner, []string{errors.Name, p95.Name}, p95, errors)
		for range 3 {
			f.Publish(p95, 900, 0)
			f.Pass(10 * time.Second)
		}
		f.Mute(p95.Name)
		f.Remove(errors.Name)
		got := states(t, f, map[string]port.AlarmState{p95.Name: port.AlarmRaised, errors.Name: port.AlarmMissing}, p95.Name, errors.Name)
		if got[0].Muted == "" {
			t.Error("a muted alarm is not said to be one")
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		f := start(t)
		f.Break()
		if _, err := f.Alarms.States(t.Context(), []string{p95.Name}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("error %v, want %s", err, fault.Unavailable)
		}
		if _, err := f.Alarms.Ensure(t.Context(), owner, []port.Alarm{p95}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("error %v, want %s", err, fault.Unavailable)
		}
	})
}

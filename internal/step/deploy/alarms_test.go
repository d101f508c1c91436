package deploy

import (
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

// TestRun_Alarms: alarms are made before anything is deployed; one that is raised then
// changes nothing, one that is raised later ends the rollout.
func TestRun_Alarms(t *testing.T) {
	for _, tt := range []struct {
		name    string
		set     func(*fake.Alarms, *fake.Environment)
		staged  bool
		says    string
		infra   bool
		wantErr bool
	}{
		{"ok", func(a *fake.Alarms, _ *fake.Environment) { a.Set("theirs", port.AlarmOK) }, true, "", false, false},
		{"raised before", func(a *fake.Alarms, _ *fake.Environment) { a.Set("theirs", port.AlarmRaised) }, false, "before the deployment, alarm theirs is in ALARM", true, true},
		{"missing before", func(*fake.Alarms, *fake.Environment) {}, false, "alarm theirs does not exist", true, true},
		{"can't be asked", func(a *fake.Alarms, _ *fake.Environment) { a.Break(fault.New(fault.Unavailable, "no response")) }, false, "no response", true, true},
		{"raised during the rollout", func(a *fake.Alarms, w *fake.Environment) {
			a.Set("theirs", port.AlarmOK)
			time.AfterFunc(15*time.Second, func() { a.Set("theirs", port.AlarmRaised) })
			w.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
				return port.ProbeResponse{Status: 503}, true, nil // it takes its time
			}
		}, true, "during the rollout, alarm theirs is in ALARM", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				w.Serve(env, "20260101-000000-aaaa", w.Release(1), time.Now())
				w.Target.Calls = nil
				alarms := &fake.Alarms{}
				tt.set(alarms, w)
				own := port.Alarm{Name: "slipway/api/prod/p95", Periods: 3, Breaching: 2, Threshold: 1}
				r := request(step.DeployParams{
					Workload: delivery.Workload{Health: "/health"},
					Alarms:   &step.AlarmParams{Own: []port.Alarm{own}, Named: []string{"theirs"}, Within: 0},
				})
				r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
				s := newStep(w)
				s.Monitors = func(delivery.Location) (port.Alarms, port.Meter, error) { return alarms, alarms, nil }
				res, err := s.Run(t.Context(), r)
				if (err != nil) != tt.wantErr {
					t.Errorf("outcome %s (%q), error %v", res.Outcome, res.Cause, err)
				}
				text := res.Cause
				if err != nil {
					text = err.Error()
					if fault.IsInfrastructure(err) != tt.infra {
						t.Errorf("%v: infrastructure %v", err, fault.IsInfrastructure(err))
					}
				}
				if !strings.Contains(text, tt.says) || res.InfrastructureFailure {
					t.Errorf("%q, want %q", text, tt.says)
				}
				if staged := strings.Contains(strings.Join(w.Target.Calls, " "), "Stage"); staged != tt.staged {
					t.Errorf("calls of the target %q", w.Target.Calls)
				}
				if made := alarms.Made(); tt.staged && (len(made) != 1 || made[0] != own.Name) {
					t.Errorf("alarms made %q", made)
				}
			})
		})
	}
}

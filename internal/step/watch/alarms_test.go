package watch

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

// TestRun_Alarms: what each state of an alarm means for the release.
func TestRun_Alarms(t *testing.T) {
	const minute = time.Minute
	unavailable := fault.New(fault.Unavailable, "no response")
	for _, tt := range []struct {
		name      string
		after     func(*fake.Alarms) // 20 s after the beginning
		policy    step.NoTrafficPolicy
		outcome   delivery.Outcome
		blameless bool
		took      time.Duration
		says      string
	}{
		{"ok", func(*fake.Alarms) {}, "", delivery.OutcomeSucceeded, false, minute, "alarm theirs is OK"},
		{"raised", func(a *fake.Alarms) { a.Set("theirs", port.AlarmRaised) }, "", delivery.OutcomeFailed, false, 20 * time.Second, "alarm theirs is in ALARM: Threshold Crossed"},
		{"muted and raised", func(a *fake.Alarms) { a.Mute("theirs"); a.Set("theirs", port.AlarmRaised) }, "", delivery.OutcomeFailed, false, 20 * time.Second, "hides its actions"},
		{"missing", func(a *fake.Alarms) { a.Remove("theirs") }, "", delivery.OutcomeFailed, true, 20 * time.Second, "alarm theirs does not exist"},
		{"can't be asked", func(a *fake.Alarms) { a.Break(unavailable) }, "", delivery.OutcomeFailed, true, 28 * time.Second, "investigate: alarms could not be checked 5 times in a row"},
		{"no data", func(a *fake.Alarms) { a.Set("theirs", port.AlarmNoData) }, "", delivery.OutcomeSucceeded, false, 3 * minute, "no data (INSUFFICIENT_DATA) after 3m0s, and no_traffic is accept"},
		{"no data, and that fails", func(a *fake.Alarms) { a.Set("theirs", port.AlarmNoData) }, step.FailNoTraffic, delivery.OutcomeFailed, false, 3 * minute, "no_traffic is fail"},
		{"no data for a while", func(a *fake.Alarms) {
			a.Set("theirs", port.AlarmNoData)
			time.AfterFunc(100*time.Second, func() { a.Set("theirs", port.AlarmRaised) })
		}, "", delivery.OutcomeFailed, false, 2 * minute, "is in ALARM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.setTraffic(0, port.Traffic{Requests: 1000})
				alarms := &fake.Alarms{}
				alarms.Set("theirs", port.AlarmOK)
				time.AfterFunc(19*time.Second, func() { tt.after(alarms) })
				s.monitors = func(delivery.Location) (port.Alarms, port.Meter, error) { return alarms, alarms, nil }
				begun := time.Now()
				res, err := s.watch(t.Context(), step.WatchParams{
					Bake:   delivery.Duration(minute),
					Alarms: &step.AlarmParams{Named: []string{"theirs"}, Within: delivery.Duration(3 * minute), NoTraffic: tt.policy},
				})
				if err != nil || res.Outcome != tt.outcome || res.InfrastructureFailure != tt.blameless {
					t.Errorf("outcome %s (%q, %q), blameless %v, error %v", res.Outcome, res.Summary, res.Cause, res.InfrastructureFailure, err)
				}
				if text := res.Summary + res.Cause; !strings.Contains(text, tt.says) {
					t.Errorf("summary and cause %q, want %q", text, tt.says)
				}
				if took := time.Since(begun); took < tt.took || took > tt.took+12*time.Second {
					t.Errorf("took %s, want about %s", took, tt.took)
				}
				s.wantAccepted(t, tt.outcome == delivery.OutcomeSucceeded)
			})
		})
	}
}

//go:build e2e && linux

package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// The alarm that Slipway makes for prod, and one like it of somebody else for dev.
const (
	prodAlarm = "slipway/retail-api/prod/p95"
	devAlarm  = "retail-api-dev-p95"
)

// slow publishes slow requests of an environment, in the two periods before this one.
func (a *awsProject) slow(environment string) {
	for _, age := range []time.Duration{11 * time.Second, 21 * time.Second} {
		for range 100 {
			a.cloud.AddDatapoint(awstest.Datapoint{
				Namespace: "Slipway", Metric: "ProbeLatency", Unit: "Milliseconds", Value: 2000, Fine: true, Age: age,
				Dimensions: map[string]string{"Service": "retail-api", "Environment": environment},
			})
		}
	}
}

// testAlarm: while new code with a new model bakes, dev's slow requests raise dev's alarm
// and nothing of prod; prod's raise its own, which takes both back.
func (a *awsProject) testAlarm(good string) {
	jobs, versions := a.trained()
	before := a.requireServing("retail-api-svc", good)
	a.must(a.cloud.CopyAlarm(prodAlarm, devAlarm, map[string]string{"Service": "retail-api", "Environment": "dev"}))
	a.setL2("3e-5")
	r := a.start("run", "--env", "prod", "--json", "--retrain")
	r.waitForStep("watch")
	raised := func(alarm string) func() bool {
		return func() bool { return a.cloud.AlarmState(alarm) == awstest.StateAlarm }
	}
	isAsked := func(e runEvent) bool { return e.Kind == "step.progress" && strings.Contains(e.Text, "alarms ok") }
	a.slow("dev")
	if !a.eventually(30*time.Second, raised(devAlarm)) {
		a.t.Fatalf("dev's alarm is %s", a.cloud.AlarmState(devAlarm))
	}
	if _, ok := r.waitForEvent(isAsked); !ok || a.cloud.AlarmState(prodAlarm) != awstest.StateOK {
		a.t.Fatalf("with dev's alarm raised, prod's is %s:\n%s", a.cloud.AlarmState(prodAlarm), r.kill())
	}
	a.t.Logf("awstable: a slow datapoint of dev: dev's alarm %s, prod's %s", a.cloud.AlarmState(devAlarm), a.cloud.AlarmState(prodAlarm))
	a.slow("prod")
	end := r.wait().wantRun(3, "rolled_back")
	if !strings.Contains(end.report.Cause, "alarm "+prodAlarm+" is in ALARM") {
		a.t.Errorf("cause %q", end.report.Cause)
	}
	a.requireMore(len(jobs), len(versions), 1, 1)
	now := a.requireServing("retail-api-svc", good)
	if now.Image.Digest != before.Image.Digest || now.Model.Digest != before.Model.Digest {
		a.t.Errorf("image %s with model %+v, want %s with %+v", now.Image.Digest, now.Model, before.Image.Digest, before.Model)
	}
	isBad := func(q struct{ Release, Reason string }) bool {
		return q.Release == end.report.Release && strings.Contains(q.Reason, prodAlarm)
	}
	if !slices.ContainsFunc(now.Quarantined, isBad) {
		a.t.Errorf("quarantined %+v, want %s", now.Quarantined, end.report.Release)
	}
	a.told(end.report.Run)
}

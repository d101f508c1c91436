package catalog

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollback"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/watch"
)

// A release bakes on a target of the tests and is watched by CloudWatch's alarms. What
// its metrics say decides: slow requests of prod roll it back, those of dev do not.
func TestAlarms_RollBack(t *testing.T) {
	for slow, want := range map[string]delivery.Outcome{"dev": delivery.OutcomeSucceeded, "prod": delivery.OutcomeFailed} {
		t.Run("slow in "+slow, func(t *testing.T) {
			const env, run = delivery.Environment("prod"), delivery.RunID("20260102-000000-bbbb")
			begun := time.Now()
			now := func() time.Time { return begun.Add(time.Since(begun) * 60) } // a second of the test is a minute of CloudWatch
			l := awstest.Start(t, awstest.Config{MetricsClock: now})
			awstest.As(t, l.AddUser("alice"))
			find := (&monitors{options: session.Options{Client: l.Client}}).find
			alarmsOf := map[string]port.Alarm{}
			at, err := delivery.NewLocation(extension.Monitoring{AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region}})
			if err != nil {
				t.Fatal(err)
			}
			alarms, _, err := find(at)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"dev", "prod"} {
				a := port.Alarm{
					Name: "slipway/api/" + name + "/p95", Namespace: "Retail", Metric: "latency", Statistic: "p95", Threshold: 200,
					Dimensions: map[string]string{"Environment": name}, Period: delivery.Duration(10 * time.Second), Periods: 3, Breaching: 2,
				}
				alarmsOf[name] = a
				if _, err := alarms.Ensure(t.Context(), port.AlarmOwner{Service: "api", Environment: delivery.Environment(name)}, []port.Alarm{a}); err != nil {
					t.Fatal(err)
				}
			}
			publish := time.NewTicker(100 * time.Millisecond) // six seconds of CloudWatch
			stopped := make(chan struct{})
			t.Cleanup(func() { close(stopped); publish.Stop() })
			go func() {
				for {
					select {
					case <-stopped:
						return
					case <-publish.C:
					}
					for name, a := range alarmsOf {
						value := 20.0
						if name == slow {
							value = 900
						}
						l.AddDatapoint(awstest.Datapoint{Namespace: a.Namespace, Metric: a.Metric, Dimensions: a.Dimensions, Value: value, Fine: true})
					}
				}
			}()

			for known := false; !known; time.Sleep(50 * time.Millisecond) { // both have data
				states, err := alarms.States(t.Context(), []string{alarmsOf["dev"].Name, alarmsOf["prod"].Name})
				if err != nil {
					t.Fatal(err)
				}
				known = states[0].State != port.AlarmNoData && states[1].State != port.AlarmNoData
			}

			w := fake.NewEnvironment()
			old, rel := w.Release(1), w.Release(2)
			w.Serve(env, "20260101-000000-aaaa", old, time.Now())
			d, err := w.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: rel.ID, Run: run})
			if err != nil {
				t.Fatal(err)
			}
			o := port.DeployRequest{Service: "api", Environment: env, ID: rel.ID, Release: rel.Release}
			_, _ = w.Target.Stage(t.Context(), o, nil)
			_, _ = w.Target.Promote(t.Context(), o, nil)
			services := rollout.Services{
				Targets: port.Targets{"local": w.Target}, Prober: w.Prober, Releases: w.Records.Releases(), Deployments: w.Records.Deployments(),
				Models: w.Records.Models(), Monitors: find,
			}
			deployed, _ := json.Marshal(step.DeployOutput{Release: rel.ID, Deployment: d.ID, URL: fake.StableURL(env), Since: time.Now()})
			params, _ := json.Marshal(step.WatchParams{
				RolloutParams: step.RolloutParams{Target: "local"}, Bake: delivery.Duration(3 * time.Second),
				Alarms: &step.AlarmParams{At: at, Own: []port.Alarm{alarmsOf["prod"]}, Within: delivery.Duration(time.Minute)},
			})
			r := step.Request{
				Run: run, Service: "api", Environment: env, Spec: step.Spec{Name: "watch", Params: params},
				Inputs: map[string]json.RawMessage{"deploy": deployed},
			}
			res, err := watch.Step{Services: services}.Run(t.Context(), r)
			if err != nil || res.Outcome != want || res.InfrastructureFailure {
				t.Fatalf("outcome %s (%q, %q), %v", res.Outcome, res.Summary, res.Cause, err)
			}
			t.Logf("%s%s", res.Summary, res.Cause)
			if want == delivery.OutcomeSucceeded {
				return
			}
			undo, _ := json.Marshal(step.RollbackParams{RolloutParams: step.RolloutParams{Target: "local"}})
			r.Spec, r.Cause = step.Spec{Name: "deploy.undo", Kind: step.Rollback, Params: undo, Needs: []string{"deploy"}}, res.Cause
			if res, err = (rollback.Step{Services: services}).Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
				t.Fatalf("rollback: %s (%q), %v", res.Outcome, res.Cause, err)
			}
			obs, err := w.Target.Observe(t.Context(), "api", env)
			bad, getErr := w.Records.Releases().Get(t.Context(), rel.ID)
			if err != nil || getErr != nil || obs.Release != old.ID || bad.Quarantined == nil {
				t.Errorf("%s has the traffic, quarantined %v", obs.Release, bad.Quarantined)
			}
			if err := l.Invalid(); err != nil {
				t.Error(err)
			}
		})
	}
}

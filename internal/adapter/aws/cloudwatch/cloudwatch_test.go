package cloudwatch

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// lab is an AWS, its time and a client.
type lab struct {
	*awstest.Lab
	now    time.Time
	client *Client
}

func start(t *testing.T) *lab {
	t.Helper()
	l := &lab{now: time.Now().Truncate(time.Minute)}
	l.Lab = awstest.Start(t, awstest.Config{MetricsClock: func() time.Time { return l.now }})
	p := l.AddUser("alice")
	awstest.As(t, p)
	l.client = New(extension.AWS{Account: awstest.Account, Region: awstest.Region}, "Slipway", session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }})
	return l
}

func (l *lab) publish(a port.Alarm, value, per float64) {
	l.AddDatapoint(awstest.Datapoint{Namespace: a.Namespace, Metric: a.Metric, Unit: a.Unit, Dimensions: a.Dimensions, Value: value, Fine: true})
	if a.Per != "" {
		l.AddDatapoint(awstest.Datapoint{Namespace: a.Namespace, Metric: a.Per, Unit: a.Unit, Dimensions: a.Dimensions, Value: per, Fine: true})
	}
}

func TestClient_Conformance(t *testing.T) {
	porttest.TestAlarms(t, func(t *testing.T) porttest.AlarmsFixture {
		l := start(t)
		t.Cleanup(func() {
			if err := l.Invalid(); err != nil {
				t.Error(err)
			}
		})
		return porttest.AlarmsFixture{
			Alarms: l.client, Publish: l.publish, Pass: func(d time.Duration) { l.now = l.now.Add(d) },
			Mute: func(name string) { l.Mute("night", name) }, Remove: l.RemoveAlarm,
			Foreign: func(name string) { l.AddCompositeAlarm(name, awstest.StateOK) }, Break: l.Stop,
		}
	})
}

func example(env string) port.Alarm {
	return port.Alarm{
		Name: "slipway/retail/" + env + "/p95", Namespace: "Retail", Metric: "latency", Statistic: "p95",
		Dimensions: map[string]string{"Service": "retail", "Environment": env}, Period: delivery.Duration(time.Minute), Periods: 3, Breaching: 2, Threshold: 200,
	}
}

// A datapoint of dev does not trip the alarm of prod.
func TestClient_DevAndProd(t *testing.T) {
	l := start(t)
	for _, env := range []delivery.Environment{"dev", "prod"} {
		if _, err := l.client.Ensure(t.Context(), port.AlarmOwner{Service: "retail", Environment: env}, []port.Alarm{example(string(env))}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		l.publish(example("dev"), 900, 0)
		l.publish(example("prod"), 20, 0)
		l.now = l.now.Add(time.Minute)
	}
	got, err := l.client.States(t.Context(), []string{"slipway/retail/dev/p95", "slipway/retail/prod/p95"})
	if err != nil || got[0].State != port.AlarmRaised || got[1].State != port.AlarmOK {
		t.Errorf("%+v, %v", got, err)
	}
	if tags := l.AlarmTags("slipway/retail/prod/p95"); tags["slipway:service"] != "retail" || tags["slipway:environment"] != "prod" {
		t.Errorf("tags %v", tags)
	}
}

// A fifth of the calls is throttled or answered 5xx, and one response in ten is lost:
// each alarm is made once, and every state is known.
func TestClient_Throttled(t *testing.T) {
	l := start(t)
	n := 0
	l.Inject(func(*awstest.Call) awstest.Fault {
		n++
		switch {
		case n%5 == 0:
			return awstest.Throttled
		case n%7 == 0:
			return awstest.Unavailable
		case n%10 == 1:
			return awstest.ResponseLost
		}
		return awstest.NoFault
	})
	var wanted []port.Alarm
	var names []string
	for i := range 9 {
		a := example("prod")
		a.Name = fmt.Sprintf("slipway/retail/prod/p%d", i)
		wanted, names = append(wanted, a), append(names, a.Name)
	}
	owner := port.AlarmOwner{Service: "retail", Environment: "prod"}
	for i, want := range []int{9, 0} {
		if changed, err := l.client.Ensure(t.Context(), owner, wanted); err != nil || len(changed) != want {
			t.Errorf("call %d changed %q, %v", i, changed, err)
		}
	}
	for range 20 {
		if got, err := l.client.States(t.Context(), names); err != nil || got[8].State != port.AlarmNoData {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if made := l.AlarmNames(); len(made) != 9 {
		t.Errorf("alarms %q", made)
	}
	t.Logf("%d calls, %d with a fault", n, n-l.Count("cloudwatch", "DescribeAlarms")-l.Count("cloudwatch", "ListAlarmMuteRules")-l.Count("cloudwatch", "PutMetricAlarm")-l.Count("sts", "GetCallerIdentity"))
}

// More alarms than a page has, and more names than a call takes.
func TestClient_Pages(t *testing.T) {
	l := start(t)
	var wanted []port.Alarm
	var names []string
	for i := range 150 {
		a := example("prod")
		a.Name = fmt.Sprintf("slipway/retail/prod/%03d", i)
		wanted, names = append(wanted, a), append(names, a.Name)
	}
	owner := port.AlarmOwner{Service: "retail", Environment: "prod"}
	if changed, err := l.client.Ensure(t.Context(), owner, wanted); err != nil || len(changed) != 150 {
		t.Fatal(len(changed), err)
	}
	if changed, err := l.client.Ensure(t.Context(), owner, nil); err != nil || len(changed) != 150 {
		t.Fatal(len(changed), err)
	}
	got, err := l.client.States(t.Context(), names)
	if err != nil || len(got) != 150 || got[149].State != port.AlarmMissing {
		t.Errorf("%d states, %v", len(got), err)
	}
}

// A list that does not end is an error, not a loop.
func TestClient_EndlessList(t *testing.T) {
	l := start(t)
	for i := range 120 {
		l.AddCompositeAlarm(fmt.Sprintf("slipway/retail/prod/%03d", i), awstest.StateOK)
	}
	l.RepeatPages(true)
	_, err := l.client.Ensure(t.Context(), port.AlarmOwner{Service: "retail", Environment: "prod"}, nil)
	if !fault.Is(err, fault.Invalid) || l.Count("cloudwatch", "DescribeAlarms") != maxPages {
		t.Errorf("error %v after %d calls", err, l.Count("cloudwatch", "DescribeAlarms"))
	}
}

// Who may not see mute rules sees states all the same; who may not see states sees none.
func TestClient_Denied(t *testing.T) {
	l := start(t)
	l.AddCompositeAlarm("theirs", awstest.StateAlarm)
	l.Inject(func(c *awstest.Call) awstest.Fault {
		if c.Operation.Name == "ListAlarmMuteRules" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	if got, err := l.client.States(t.Context(), []string{"theirs"}); err != nil || got[0].State != port.AlarmRaised {
		t.Errorf("%+v, %v", got, err)
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Denied })
	if _, err := l.client.States(t.Context(), []string{"theirs"}); !fault.Is(err, fault.Denied) || !fault.IsInfrastructure(err) {
		t.Errorf("error %v", err)
	}
}

// Another account than the one named is refused before anything is written.
func TestClient_OtherAccount(t *testing.T) {
	l := start(t)
	c := New(extension.AWS{Account: "999999999999", Region: awstest.Region}, "Slipway", session.Options{Client: l.Client})
	if _, err := c.Ensure(t.Context(), port.AlarmOwner{Service: "retail", Environment: "prod"}, []port.Alarm{example("prod")}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
	if err := c.Publish(t.Context(), []port.Measurement{{Metric: "m"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
	if n := l.Count("cloudwatch", "PutMetricAlarm") + l.Count("cloudwatch", "PutMetricData"); n != 0 {
		t.Errorf("%d calls wrote", n)
	}
}

// What is measured is published in batches that CloudWatch takes.
func TestClient_Publish(t *testing.T) {
	l := start(t)
	all := make([]port.Measurement, 2500)
	dimensions := map[string]string{"Service": "retail", "Environment": "prod"}
	for i := range all {
		all[i] = port.Measurement{Metric: "latency", Value: float64(i), Unit: "Milliseconds", Time: l.now, Fine: true, Dimensions: dimensions}
	}
	if err := l.client.Publish(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if n := len(l.Datapoints("Slipway", "latency", dimensions)); n != 2500 || l.Count("cloudwatch", "PutMetricData") != 3 {
		t.Errorf("%d datapoints in %d calls", n, l.Count("cloudwatch", "PutMetricData"))
	}
	if err := l.client.Publish(t.Context(), []port.Measurement{{Metric: "m", Value: math.NaN()}}); !fault.Is(err, fault.Internal) {
		t.Errorf("error %v", err)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

package awstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

func dims(env string) []types.Dimension {
	return []types.Dimension{{Name: aws.String("Service"), Value: aws.String("retail")}, {Name: aws.String("Environment"), Value: aws.String(env)}}
}

// p95Alarm rings above 200.
func p95Alarm(name, env string, period int32) *cloudwatch.PutMetricAlarmInput {
	return &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("Retail"), MetricName: aws.String("latency"), Dimensions: dims(env), ExtendedStatistic: aws.String("p95"),
		Period: &period, EvaluationPeriods: aws.Int32(3), DatapointsToAlarm: aws.Int32(3), Threshold: aws.Float64(200), TreatMissingData: aws.String("missing"),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, Tags: []types.Tag{{Key: aws.String("owner"), Value: aws.String("me")}},
	}
}

// metricsLab is a lab whose CloudWatch has a clock of its own.
type metricsLab struct {
	*lab
	now time.Time
}

func newMetricsLab(t *testing.T) *metricsLab {
	t.Helper()
	l := &metricsLab{now: time.Now().Truncate(time.Minute)}
	l.lab = newLabWith(t, awstest.Config{MetricsClock: func() time.Time { return l.now }})
	return l
}

func (l *metricsLab) addLatency(value float64) {
	l.AddDatapoint(awstest.Datapoint{Namespace: "Retail", Metric: "latency", Dimensions: map[string]string{"Service": "retail", "Environment": "prod"}, Value: value})
}

func describeAlarm(t *testing.T, c *cloudwatch.Client, name string) types.MetricAlarm {
	t.Helper()
	out, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("DescribeAlarms: %+v, %v", out, err)
	}
	return out.MetricAlarms[0]
}

// The SDK's own client speaks CBOR.
func TestCloudWatch_Alarm(t *testing.T) {
	l := newMetricsLab(t)
	ctx, c := t.Context(), cloudwatch.NewFromConfig(l.config, func(o *cloudwatch.Options) { o.Retryer = aws.NopRetryer{} })
	for _, env := range []string{"dev", "prod"} {
		if _, err := c.PutMetricAlarm(ctx, p95Alarm(env, env, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if a := describeAlarm(t, c, "prod"); a.StateValue != types.StateValueInsufficientData || *a.Threshold != 200 || *a.Period != 10 || *a.Dimensions[1].Value != "prod" {
		t.Errorf("new alarm %+v", a)
	}
	if got := l.AlarmTags("prod"); got["owner"] != "me" {
		t.Errorf("tags %v", got)
	}
	put := func(env string, value float64, resolution int32) {
		t.Helper()
		_, err := c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Retail"), MetricData: []types.MetricDatum{{
			MetricName: aws.String("latency"), Dimensions: dims(env), Value: &value, Timestamp: aws.Time(l.now), StorageResolution: &resolution,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(10 * time.Second)
	}
	for range 3 {
		put("dev", 900, 1)
	}
	if dev, prod := describeAlarm(t, c, "dev"), describeAlarm(t, c, "prod"); dev.StateValue != types.StateValueAlarm || prod.StateValue != types.StateValueInsufficientData {
		t.Errorf("dev is in %s, prod in %s: a datapoint of dev must not count for prod", dev.StateValue, prod.StateValue)
	}
	put("prod", 900, 60) // kept by the minute: not seen in periods of ten seconds
	if a := describeAlarm(t, c, "prod"); a.StateValue != types.StateValueInsufficientData {
		t.Errorf("state %s by a datapoint of a minute", a.StateValue)
	}
	for range 3 {
		put("prod", 100, 1)
	}
	if a := describeAlarm(t, c, "prod"); a.StateValue != types.StateValueOk {
		t.Errorf("state %s, %s", a.StateValue, *a.StateReason)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

// The cases are the tables of CloudWatch's user guide: X breaches, 0 does not, - is
// missing, the newest is the last one.
func TestCloudWatch_MissingData(t *testing.T) {
	const ok, alarm, none = "OK", "ALARM", "INSUFFICIENT_DATA"
	for _, tt := range []struct {
		points                                   string
		need                                     int32
		missing, ignore, breaching, notBreaching string
	}{
		{"0-X-X", 3, ok, ok, ok, ok},
		{"0----", 3, ok, ok, ok, ok},
		{"-----", 3, none, none, alarm, ok},
		{"0XX-X", 3, alarm, alarm, alarm, alarm},
		{"--X--", 3, alarm, none, alarm, ok},
		{"0-X-X", 2, alarm, alarm, alarm, alarm},
		{"00X0X", 2, alarm, alarm, alarm, alarm},
		{"0-X--", 2, ok, ok, alarm, ok},
		{"----0", 2, ok, ok, alarm, ok},
		{"---X-", 2, alarm, none, alarm, ok},
	} {
		for treat, want := range map[string]string{"missing": tt.missing, "ignore": tt.ignore, "breaching": tt.breaching, "notBreaching": tt.notBreaching} {
			t.Run(fmt.Sprintf("%s %d %s", tt.points, tt.need, treat), func(t *testing.T) {
				l := newMetricsLab(t)
				c := cloudwatch.NewFromConfig(l.config)
				in := p95Alarm("a", "prod", 60)
				in.DatapointsToAlarm, in.TreatMissingData = &tt.need, &treat
				if _, err := c.PutMetricAlarm(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				for _, p := range tt.points {
					if p != '-' {
						l.addLatency(map[rune]float64{'X': 500, '0': 1}[p])
					}
					l.now = l.now.Add(time.Minute)
				}
				if a := describeAlarm(t, c, "a"); string(a.StateValue) != want {
					t.Errorf("%s, want %s: %s", a.StateValue, want, *a.StateReason)
				}
			})
		}
	}
}

func TestCloudWatch_WarmUpPagesAndMutes(t *testing.T) {
	l := newMetricsLab(t)
	ctx, c := t.Context(), cloudwatch.NewFromConfig(l.config)
	for i := range 60 {
		in := p95Alarm(fmt.Sprintf("a/%02d", i), "prod", 60)
		if i == 0 {
			in.WarmUpConfiguration = &types.WarmUpConfiguration{WarmUpPeriodDurationInMinutes: aws.Int32(10)}
		}
		if _, err := c.PutMetricAlarm(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		l.addLatency(500)
		l.now = l.now.Add(time.Minute)
	}
	if a, b := describeAlarm(t, c, "a/00"), describeAlarm(t, c, "a/01"); a.StateValue != types.StateValueInsufficientData || b.StateValue != types.StateValueAlarm {
		t.Errorf("warming up: %s, another one: %s", a.StateValue, b.StateValue)
	}
	pages, seen := cloudwatch.NewDescribeAlarmsPaginator(c, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("a/")}), 0
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(out.MetricAlarms)
	}
	if seen != 60 || l.Count("cloudwatch", "DescribeAlarms") != 4 {
		t.Errorf("%d alarms in %d calls", seen, l.Count("cloudwatch", "DescribeAlarms")-2)
	}
	l.Mute("night", "a/01")
	rules, err := c.ListAlarmMuteRules(ctx, &cloudwatch.ListAlarmMuteRulesInput{AlarmName: aws.String("a/01")})
	if err != nil || len(rules.AlarmMuteRuleSummaries) != 1 || !strings.HasSuffix(*rules.AlarmMuteRuleSummaries[0].AlarmMuteRuleArn, ":night") {
		t.Errorf("%+v, %v", rules, err)
	}
	if a := describeAlarm(t, c, "a/01"); a.StateValue != types.StateValueAlarm {
		t.Error("a mute rule hid the state")
	}
	_, err = c.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"absent"}})
	wantError(t, err, "ResourceNotFound")
	bad := p95Alarm("bad", "prod", 45)
	_, err = c.PutMetricAlarm(ctx, bad)
	wantError(t, err, "ValidationError")
	_, err = c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/ELB"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}})
	wantError(t, err, "InvalidParameterValue")
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Throttled })
	_, err = c.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
	wantError(t, err, "ThrottlingException")
}

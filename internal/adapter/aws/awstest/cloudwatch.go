package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of PutMetricData. Source: its API reference.
const (
	maxDatums       = 1000
	maxMetricValues = 150
	maxMetricAge    = 14 * 24 * time.Hour
	maxMetricAhead  = 2 * time.Hour
)

// metrics is what CloudWatch remembers.
type metrics struct {
	alarms     map[string]*alarm
	datapoints map[string][]datapoint // by seriesOf
	mutes      []mute
	endless    bool // the list of alarms has no last page
}

// datapoint is what one datum says of a moment.
type datapoint struct {
	at         time.Time
	values     []float64
	counts     []float64
	unit       string
	resolution int
}

// mute is a rule that hides the actions of alarms, and not their states.
type mute struct {
	rule   string
	alarms []string
}

type dimension struct{ Name, Value string }

// moment is a time as either of CloudWatch's protocols has it: text, or seconds.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(raw []byte) error {
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err == nil {
		m.Time = time.UnixMilli(int64(seconds * 1000)).UTC()
		return nil
	}
	return json.Unmarshal(raw, &m.Time)
}

// seriesOf is the key of a metric: the dimensions count exactly, a subset of them is
// another metric.
func seriesOf(namespace, metric string, dimensions []dimension) string {
	sorted := slices.SortedFunc(slices.Values(dimensions), func(a, b dimension) int { return strings.Compare(a.Name, b.Name) })
	return fmt.Sprintf("%q %q %q", namespace, metric, sorted)
}

// Datapoint is one value of a metric.
type Datapoint struct {
	Namespace, Metric, Unit string
	Dimensions              map[string]string
	Value                   float64
	Fine                    bool          // kept by the second, not by the minute
	Age                     time.Duration // how long ago it was measured
}

// AddDatapoint is PutMetricData by whoever publishes a metric: a load balancer, or the
// service.
func (c *Cloud) AddDatapoint(p Datapoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := datapoint{at: c.metered().Add(-p.Age), values: []float64{p.Value}, counts: []float64{1}, unit: p.Unit, resolution: 60}
	if p.Fine {
		d.resolution = 1
	}
	key := seriesOf(p.Namespace, p.Metric, dimensionsOf(p.Dimensions))
	c.metrics.datapoints[key] = append(c.metrics.datapoints[key], d)
}

// Datapoints returns the values of a metric so far, the oldest first.
func (c *Cloud) Datapoints(namespace, metric string, dimensions map[string]string) (values []float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.metrics.datapoints[seriesOf(namespace, metric, dimensionsOf(dimensions))] {
		values = append(values, d.values...)
	}
	return values
}

// Mute makes a rule that hides the actions of alarms.
func (c *Cloud) Mute(rule string, alarms ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics.mutes = append(c.metrics.mutes, mute{rule, alarms})
}

func dimensionsOf(m map[string]string) (all []dimension) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, dimension{name, m[name]})
	}
	return all
}

func (c *Cloud) cloudwatch() map[string]handler {
	return map[string]handler{
		"PutMetricData": c.putMetricData, "PutMetricAlarm": c.putMetricAlarm, "DescribeAlarms": c.describeAlarms,
		"DeleteAlarms": c.deleteAlarms, "ListAlarmMuteRules": c.listMuteRules,
		"TagResource": onARN(c.taggedAlarm, c.addTagsOf), "UntagResource": onARN(c.taggedAlarm, c.dropTagsOf), "ListTagsForResource": onARN(c.taggedAlarm, c.listTagsAs("Tags")),
	}
}

func (c *Cloud) putMetricData(call *Call) (any, error) {
	var in struct {
		Namespace  string
		MetricData []struct {
			MetricName        string
			Dimensions        []dimension
			Timestamp         *moment
			Unit              string
			Value             *float64
			Values, Counts    []float64
			StatisticValues   map[string]float64
			StorageResolution int
		}
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	if strings.HasPrefix(in.Namespace, "AWS/") || len(in.MetricData) == 0 || len(in.MetricData) > maxDatums {
		return nil, refuse("InvalidParameterValueException", "namespace %s with %d metrics: at most %d, and none of AWS's own", in.Namespace, len(in.MetricData), maxDatums)
	}
	now := c.metered()
	for _, m := range in.MetricData {
		d := datapoint{at: now, unit: m.Unit, resolution: max(m.StorageResolution, 1), values: m.Values, counts: m.Counts}
		if m.StorageResolution == 0 {
			d.resolution = 60
		}
		if m.Timestamp != nil {
			d.at = m.Timestamp.Time
		}
		if m.Value != nil {
			d.values = append(d.values, *m.Value)
		}
		for len(d.counts) < len(d.values) {
			d.counts = append(d.counts, 1)
		}
		switch {
		case m.StatisticValues != nil:
			return nil, refuse("InvalidParameterValueException", "awstest keeps values, not StatisticValues")
		case len(d.values) == 0 || len(d.values) > maxMetricValues || len(d.counts) != len(d.values):
			return nil, refuse("InvalidParameterValueException", "%s: %d values, %d counts", m.MetricName, len(d.values), len(d.counts))
		case now.Sub(d.at) > maxMetricAge || d.at.Sub(now) > maxMetricAhead:
			return nil, refuse("InvalidParameterValueException", "%s: the timestamp is more than two weeks old, or two hours ahead", m.MetricName)
		case d.resolution != 1 && d.resolution != 60:
			return nil, refuse("InvalidParameterValueException", "StorageResolution %d", m.StorageResolution)
		}
		key := seriesOf(in.Namespace, m.MetricName, m.Dimensions)
		c.metrics.datapoints[key] = append(c.metrics.datapoints[key], d)
	}
	return struct{}{}, nil
}

func (c *Cloud) listMuteRules(call *Call) (any, error) {
	var in struct {
		AlarmName string
		Statuses  []string
		NextToken string
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	rules := []any{}
	for _, m := range c.metrics.mutes {
		if in.AlarmName != "" && !slices.Contains(m.alarms, in.AlarmName) || len(in.Statuses) > 0 && !slices.Contains(in.Statuses, "ACTIVE") {
			continue
		}
		rules = append(rules, map[string]any{"AlarmMuteRuleArn": c.arn("cloudwatch", "alarm-mute-rule:"+m.rule), "Status": "ACTIVE", "MuteType": "ONE_TIME"})
	}
	return map[string]any{"AlarmMuteRuleSummaries": rules}, nil
}

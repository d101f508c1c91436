package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of an alarm.
const (
	StateOK      = "OK"
	StateAlarm   = "ALARM"
	StateNoData  = "INSUFFICIENT_DATA"
	metricAlarm  = "MetricAlarm"
	compositeOne = "CompositeAlarm"
)

// alarm is one that was made, with its state as of the last evaluation.
type alarm struct {
	kind       string
	input      map[string]any // of PutMetricAlarm, without its tags
	spec       alarmSpec
	state      string
	reason     string
	fixed      bool // the state is set by the test
	configured time.Time
	evaluated  int64 // the last tick
}

// AddCompositeAlarm makes an alarm whose state the test sets, or sets it again.
func (c *Cloud) AddCompositeAlarm(name, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics.alarms[name] = &alarm{kind: compositeOne, input: map[string]any{"AlarmName": name, "AlarmRule": "TRUE"}, state: state, reason: "set by a test", fixed: true, configured: c.metered()}
}

// CopyAlarm makes an alarm like another one, on the metric with other dimensions.
func (c *Cloud) CopyAlarm(from, to string, dimensions map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.metrics.alarms[from]
	if a == nil || a.spec.MetricName == "" {
		return fmt.Errorf("awstest: no alarm %s on one metric", from)
	}
	other := *a
	other.input, other.spec.AlarmName, other.spec.Dimensions = maps.Clone(a.input), to, dimensionsOf(dimensions)
	shown := []any{}
	for _, d := range other.spec.Dimensions {
		shown = append(shown, map[string]any{"Name": d.Name, "Value": d.Value})
	}
	other.input["AlarmName"], other.input["Dimensions"] = to, shown
	c.metrics.alarms[to] = &other
	return nil
}

// AlarmState returns the state of an alarm as of its last evaluation, which is now if one
// is due; empty: there is no such alarm.
func (c *Cloud) AlarmState(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.metrics.alarms[name]
	if a == nil {
		return ""
	}
	c.metrics.evaluate(a, c.metered())
	return a.state
}

// RemoveAlarm removes one, as a user of the console does.
func (c *Cloud) RemoveAlarm(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeAlarm(name)
}

// AlarmTags returns the tags of an alarm; nil: there is no such alarm.
func (c *Cloud) AlarmTags(name string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.metrics.alarms[name] == nil {
		return nil
	}
	tags := maps.Clone(c.tags[c.alarmARN(name)])
	if tags == nil {
		tags = map[string]string{}
	}
	return tags
}

// RepeatPages makes the list of alarms one without a last page.
func (c *Cloud) RepeatPages(endless bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics.endless = endless
}

// AlarmNames lists the alarms.
func (c *Cloud) AlarmNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.metrics.alarms))
}

func (c *Cloud) putMetricAlarm(call *Call) (any, error) {
	var spec alarmSpec
	if err := call.Into(&spec); err != nil {
		return nil, err
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	a := c.metrics.alarms[spec.AlarmName]
	if a == nil {
		a = &alarm{kind: metricAlarm, state: StateNoData, reason: "Unchecked: Initial alarm creation"}
		if err := c.addTags(c.alarmARN(spec.AlarmName), spec.Tags); err != nil { // of an alarm that exists, PutMetricAlarm ignores them
			return nil, err
		}
		c.metrics.alarms[spec.AlarmName] = a
	}
	a.spec, a.input, a.configured = spec, maps.Clone(call.Input), c.metered()
	a.evaluated = spec.tick(a.configured)
	delete(a.input, "Tags")
	return struct{}{}, nil
}

func (c *Cloud) deleteAlarms(call *Call) (any, error) {
	var in struct{ AlarmNames []string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	for _, name := range in.AlarmNames {
		if c.metrics.alarms[name] == nil {
			return nil, refuse("ResourceNotFound", "alarm %s", name)
		}
	}
	for _, name := range in.AlarmNames {
		c.removeAlarm(name)
	}
	return struct{}{}, nil
}

// alarmPage is how many DescribeAlarms returns unless MaxRecords says otherwise.
const alarmPage = 50

func (c *Cloud) describeAlarms(call *Call) (any, error) {
	var in struct {
		AlarmNames      []string
		AlarmNamePrefix string
		AlarmTypes      []string
		MaxRecords      int
		NextToken       string
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != "" {
		return nil, refuse("ValidationError", "AlarmNames and AlarmNamePrefix exclude each other")
	}
	if len(in.AlarmTypes) == 0 {
		in.AlarmTypes = []string{metricAlarm} // others are returned only on request
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.metrics.alarms)) {
		asked := len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, name)
		if asked && strings.HasPrefix(name, in.AlarmNamePrefix) && slices.Contains(in.AlarmTypes, c.metrics.alarms[name].kind) {
			names = append(names, name)
		}
	}
	size := in.MaxRecords
	if size == 0 {
		size = alarmPage
	}
	from := 0
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from > len(names) {
			return nil, refuse("InvalidNextToken", "%q", in.NextToken)
		}
	}
	to := min(from+size, len(names))
	plain, composite := []any{}, []any{}
	for _, name := range names[from:to] {
		a := c.metrics.alarms[name]
		c.metrics.evaluate(a, c.metered())
		out := maps.Clone(a.input)
		out["AlarmArn"], out["StateValue"], out["StateReason"] = c.arn("cloudwatch", "alarm:"+name), a.state, a.reason
		if _, set := out["ActionsEnabled"]; !set {
			out["ActionsEnabled"] = true
		}
		if a.kind == compositeOne {
			composite = append(composite, out)
			continue
		}
		plain = append(plain, out)
	}
	out := map[string]any{"MetricAlarms": plain, "CompositeAlarms": composite}
	if to < len(names) || c.metrics.endless {
		out["NextToken"] = strconv.Itoa(to)
	}
	return out, nil
}

// Package cloudwatch implements port.Alarms and port.Meter with AWS's CloudWatch.
package cloudwatch

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Client is CloudWatch in one account and region. It is safe for concurrent use.
type Client struct {
	at        extension.AWS
	namespace string
	options   session.Options

	mu      sync.Mutex
	session *session.Session
}

var (
	_ port.Alarms = (*Client)(nil)
	_ port.Meter  = (*Client)(nil)
)

// New connects to nothing yet. namespace is where measurements are published.
func New(at extension.AWS, namespace string, o session.Options) *Client {
	return &Client{at: at, namespace: namespace, options: o}
}

// call carries an operation out, as whoever slipway.yaml names.
func (c *Client) call(ctx context.Context, action, operation string, in, out any) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	err = s.Call(ctx, session.API{Name: "monitoring", Target: "GraniteServiceVersion20100801", Version: "1.0"}, operation, in, out)
	return s.Explain(ctx, action, err)
}

func (c *Client) open(ctx context.Context) (*session.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		s, err := session.Open(ctx, c.at, c.options)
		if err != nil {
			return nil, err
		}
		c.session = s
	}
	return c.session, nil
}

// check requires the account to be the one that slipway.yaml names, before what writes.
func (c *Client) check(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	return s.Check(ctx)
}

// Ensure implements port.Alarms. An alarm is known to be the owner's by its name, which
// anybody can take, and by its description.
func (c *Client) Ensure(ctx context.Context, owner port.AlarmOwner, wanted []port.Alarm) (changed []string, err error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	prefix := NamePrefix(owner)
	found, err := c.describe(ctx, describeInput{AlarmNamePrefix: prefix, AlarmTypes: alarmTypes()})
	if err != nil {
		return nil, err
	}
	live := map[string]described{}
	for _, d := range found {
		live[d.AlarmName] = d
	}
	var puts []metricAlarm
	for _, w := range wanted {
		if !strings.HasPrefix(w.Name, prefix) {
			return nil, fault.New(fault.Internal, "alarm %s does not begin with %s", w.Name, prefix)
		}
		want := wireOf(owner, w)
		d, ok := live[w.Name]
		if ok && !strings.HasPrefix(d.AlarmDescription, mark(owner)) {
			return nil, fault.New(fault.Conflict, "alarm %s exists, and was not made by Slipway", w.Name).
				Hint("rename or delete it: Slipway would change its threshold")
		}
		if !ok || !d.same(want) {
			puts = append(puts, want)
		}
		delete(live, w.Name)
	}
	for _, put := range puts {
		in := putInput{metricAlarm: put, Tags: tagsOf(owner)}
		if err := c.call(ctx, "make the alarm "+put.AlarmName, "PutMetricAlarm", in, nil); err != nil {
			return changed, err
		}
		changed = append(changed, put.AlarmName)
	}
	var stale []string
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if strings.HasPrefix(live[name].AlarmDescription, mark(owner)) {
			stale = append(stale, name)
		}
	}
	for batch := range slices.Chunk(stale, maxNames) {
		if err := c.call(ctx, "delete alarms that the file does not have any more", "DeleteAlarms", map[string][]string{"AlarmNames": batch}, nil); err != nil {
			return changed, err
		}
		changed = append(changed, batch...)
	}
	return changed, nil
}

// States implements port.Alarms.
func (c *Client) States(ctx context.Context, names []string) ([]port.AlarmStatus, error) {
	live := map[string]described{}
	for batch := range slices.Chunk(names, maxNames) {
		found, err := c.describe(ctx, describeInput{AlarmNames: batch, AlarmTypes: alarmTypes()})
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			live[d.AlarmName] = d
		}
	}
	all := make([]port.AlarmStatus, len(names))
	for i, name := range names {
		d, ok := live[name]
		if !ok {
			all[i] = port.AlarmStatus{Name: name, State: port.AlarmMissing}
			continue
		}
		muted, err := c.muted(ctx, d)
		if err != nil {
			return nil, err
		}
		all[i] = port.AlarmStatus{Name: name, State: stateOf(d.StateValue), Reason: strings.Join(strings.Fields(d.StateReason), " "), Muted: muted}
	}
	return all, nil
}

// stateOf reads a state. One that is not known yet is no pass.
func stateOf(value string) port.AlarmState {
	switch value {
	case "OK":
		return port.AlarmOK
	case "ALARM":
		return port.AlarmRaised
	}
	return port.AlarmNoData
}

// muted returns what hides the alarm's actions. A role that may not list rules does not
// get to know of them: they have no part in states.
func (c *Client) muted(ctx context.Context, d described) (string, error) {
	if !d.ActionsEnabled {
		return "its actions are disabled", nil
	}
	var out struct {
		AlarmMuteRuleSummaries []struct{ AlarmMuteRuleArn string }
	}
	in := map[string]any{"AlarmName": d.AlarmName, "Statuses": []string{"ACTIVE"}}
	err := c.call(ctx, "list the mute rules of "+d.AlarmName, "ListAlarmMuteRules", in, &out)
	if fault.Is(err, fault.Denied) || err == nil && len(out.AlarmMuteRuleSummaries) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	arn := out.AlarmMuteRuleSummaries[0].AlarmMuteRuleArn
	return "muted by the rule " + arn[strings.LastIndexByte(arn, ':')+1:], nil
}

// maxNames is how many alarms a call may name, and maxPages bounds the pages of a list.
// Source: DescribeAlarms in the API reference.
const (
	maxNames = 100
	maxPages = 100
)

// describe lists alarms, page by page.
func (c *Client) describe(ctx context.Context, in describeInput) (all []described, err error) {
	in.MaxRecords = maxNames
	for range maxPages {
		var out struct {
			MetricAlarms, CompositeAlarms, LogAlarms []described
			NextToken                                string
		}
		if err := c.call(ctx, "ask for the state of alarms", "DescribeAlarms", in, &out); err != nil {
			return nil, err
		}
		all = append(all, slices.Concat(out.MetricAlarms, out.CompositeAlarms, out.LogAlarms)...)
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return all, nil
		}
	}
	return nil, fault.New(fault.Invalid, "there are more than %d alarms whose names begin with %s", maxPages*maxNames, in.AlarmNamePrefix)
}

// same reports whether the alarm is as it is wanted.
func (d described) same(want metricAlarm) bool {
	return reflect.DeepEqual(d.normal(), want.normal())
}

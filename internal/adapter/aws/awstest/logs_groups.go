package awstest

import (
	"maps"
	"slices"
	"strings"
)

func (c *Cloud) logGroupHandlers() map[string]handler {
	return map[string]handler{
		"DescribeLogGroups": c.describeLogGroups, "DeleteLogGroup": c.deleteLogGroup, "PutRetentionPolicy": c.putRetentionPolicy, "DeleteRetentionPolicy": c.deleteRetentionPolicy,
		"TagResource": onARN(c.taggedLogGroup, c.setTagsOf), "UntagResource": onARN(c.taggedLogGroup, c.dropTagsOf), "ListTagsForResource": onARN(c.taggedLogGroup, c.mapOfTags),
	}
}

// AddLogGroup makes a group without a retention, as services do that log into it first.
func (c *Cloud) AddLogGroup(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logGroup(name)
}

func (c *Cloud) logGroupARN(name string) string { return c.arn("logs", "log-group:"+name) }

func (c *Cloud) describeLogGroups(call *Call) (any, error) {
	all := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(c.logGroups)) {
		g := c.logGroups[name]
		if !strings.HasPrefix(name, call.text("logGroupNamePrefix")) || !strings.Contains(name, call.text("logGroupNamePattern")) {
			continue
		}
		d := map[string]any{
			"logGroupName": name, "arn": c.logGroupARN(name) + ":*", "logGroupArn": c.logGroupARN(name), "creationTime": g.created,
			"storedBytes": 0, "metricFilterCount": 0, "logGroupClass": "STANDARD",
		}
		if g.retention > 0 {
			d["retentionInDays"] = g.retention
		}
		all = append(all, d)
	}
	return paged(call, "logGroups", all)
}

func (c *Cloud) deleteLogGroup(call *Call) (any, error) {
	g, _, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	delete(c.logGroups, g.Name)
	delete(c.tags, c.logGroupARN(g.Name))
	return map[string]any{}, nil
}

// retentions are the numbers of days that there are. Source: PutRetentionPolicy in the API
// reference of CloudWatch Logs.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (c *Cloud) putRetentionPolicy(call *Call) (any, error) {
	var in struct{ RetentionInDays int }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	g, _, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(retentions, in.RetentionInDays) {
		return nil, refuse("InvalidParameterException", "Invalid retention value of %d. Valid values are: %v", in.RetentionInDays, retentions)
	}
	g.retention = in.RetentionInDays
	return map[string]any{}, nil
}

func (c *Cloud) deleteRetentionPolicy(call *Call) (any, error) {
	g, _, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	g.retention = 0
	return map[string]any{}, nil
}

// taggedLogGroup returns the ARN of the input, without the :* that other calls end it with.
func (c *Cloud) taggedLogGroup(call *Call) (string, error) {
	arn := call.text("resourceArn")
	_, name, ok := strings.Cut(arn, ":log-group:")
	if !ok || strings.HasSuffix(arn, ":*") {
		return "", refuse("InvalidParameterException", "The ARN %s is not that of a log group", arn)
	}
	if c.logGroups[name] == nil {
		return "", refuse("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return arn, nil
}

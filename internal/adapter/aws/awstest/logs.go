package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogGroup is a group of CloudWatch Logs.
type LogGroup struct {
	Name    string
	streams map[string]*logStream
	created int64

	retention int // days; 0: for ever
}

type logStream struct {
	events  []logEvent // by time
	created int64      // ms
}

type logEvent struct {
	at, ingested int64 // ms
	message      string
}

// Log appends lines to a stream, whose group and stream are made if they are absent.
func (c *Cloud) Log(group, stream string, lines ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log(group, stream, lines...)
}

func (c *Cloud) log(group, stream string, lines ...string) {
	s := c.logGroup(group).stream(stream, c.millis())
	for _, line := range lines {
		if line == "" {
			line = " " // an event is not empty
		}
		s.events = append(s.events, logEvent{c.millis(), c.millis(), line})
	}
}

// LogLines returns the messages of a stream.
func (c *Cloud) LogLines(group, stream string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	if g := c.logGroups[group]; g != nil && g.streams[stream] != nil {
		for _, e := range g.streams[stream].events {
			lines = append(lines, e.message)
		}
	}
	return lines
}

func (c *Cloud) millis() int64 { return c.clock().UnixMilli() }

func (c *Cloud) logGroup(name string) *LogGroup {
	if c.logGroups[name] == nil {
		c.logGroups[name] = &LogGroup{Name: name, streams: map[string]*logStream{}, created: c.millis()}
	}
	return c.logGroups[name]
}

func (g *LogGroup) stream(name string, now int64) *logStream {
	if g.streams[name] == nil {
		g.streams[name] = &logStream{created: now}
	}
	return g.streams[name]
}

func (c *Cloud) logs() map[string]handler {
	all := map[string]handler{
		"CreateLogGroup": c.createLogGroup, "CreateLogStream": c.createLogStream, "PutLogEvents": c.putLogEvents,
		"DescribeLogStreams": c.describeLogStreams, "GetLogEvents": c.getLogEvents, "FilterLogEvents": c.filterLogEvents,
	}
	maps.Copy(all, c.logGroupHandlers())
	return all
}

// logInput are the members of requests about logs.
type logInput struct {
	LogGroupName, LogStreamName string
	LogStreamNamePrefix         string
	LogStreamNames              []string
	FilterPattern               string
	NextToken                   string
	Limit                       int
	StartTime, EndTime          int64
	StartFromHead               bool
	LogEvents                   []struct {
		Timestamp int64
		Message   string
	}
}

// logsOf reads the input and finds its group.
func (c *Cloud) logsOf(call *Call) (*LogGroup, logInput, error) {
	var in logInput
	if err := call.Into(&in); err != nil {
		return nil, in, err
	}
	g := c.logGroups[in.LogGroupName]
	if g == nil {
		return nil, in, refuse("ResourceNotFoundException", "The specified log group does not exist.")
	}
	if in.LogStreamName != "" && g.streams[in.LogStreamName] == nil && call.Operation.Name != "CreateLogStream" {
		return nil, in, refuse("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	return g, in, nil
}

func (c *Cloud) createLogGroup(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if g != nil {
		return nil, refuse("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	if in.LogGroupName == "" {
		return nil, err
	}
	c.logGroup(in.LogGroupName)
	c.setTags(c.logGroupARN(in.LogGroupName), requestTags(call))
	return map[string]any{}, nil
}

func (c *Cloud) createLogStream(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	if g.streams[in.LogStreamName] != nil {
		return nil, refuse("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.stream(in.LogStreamName, c.millis())
	return map[string]any{}, nil
}

// The limits of a batch. Source: PutLogEvents in CloudWatch Logs' API reference.
const (
	maxLogBatch   = 1 << 20 // bytes, with eventOverhead for each event
	eventOverhead = 26
	maxLogSpan    = 24 * time.Hour
	maxLogAge     = 14 * 24 * time.Hour
	maxLogAhead   = 2 * time.Hour
)

func (c *Cloud) putLogEvents(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	size, before := 0, int64(0)
	for _, e := range in.LogEvents {
		if size += len(e.Message) + eventOverhead; size > maxLogBatch {
			return nil, refuse("InvalidParameterException", "Upload too large: more than %d bytes", maxLogBatch)
		}
		if e.Timestamp < before {
			return nil, refuse("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
		}
		before = e.Timestamp
	}
	if n := len(in.LogEvents); time.Duration(in.LogEvents[n-1].Timestamp-in.LogEvents[0].Timestamp)*time.Millisecond > maxLogSpan {
		return nil, refuse("InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	s, rejected := g.stream(in.LogStreamName, c.millis()), map[string]any{}
	for i, e := range in.LogEvents {
		if age := time.Duration(c.millis()-e.Timestamp) * time.Millisecond; age > maxLogAge {
			rejected["tooOldLogEventEndIndex"] = i + 1
			continue
		} else if age < -maxLogAhead {
			if _, known := rejected["tooNewLogEventStartIndex"]; !known {
				rejected["tooNewLogEventStartIndex"] = i
			}
			continue
		}
		s.events = append(s.events, logEvent{e.Timestamp, c.millis(), e.Message})
	}
	slices.SortStableFunc(s.events, func(a, b logEvent) int { return int(a.at - b.at) })
	out := map[string]any{"nextSequenceToken": "unused"}
	if len(rejected) > 0 {
		out["rejectedLogEventsInfo"] = rejected
	}
	return out, nil
}

func (c *Cloud) describeLogStreams(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	if in.Limit == 0 {
		in.Limit = 50
	}
	out := map[string]any{}
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(g.streams)) {
		if !strings.HasPrefix(name, in.LogStreamNamePrefix) || name <= in.NextToken {
			continue
		}
		if len(all) == in.Limit {
			out["nextToken"] = all[len(all)-1].(map[string]any)["logStreamName"]
			break
		}
		s := g.streams[name]
		one := map[string]any{"logStreamName": name, "creationTime": s.created, "arn": c.arn("logs", "log-group:"+g.Name+":log-stream:"+name)}
		if n := len(s.events); n > 0 {
			one["firstEventTimestamp"], one["lastEventTimestamp"], one["lastIngestionTime"] = s.events[0].at, s.events[n-1].at, s.events[n-1].ingested
		}
		all = append(all, one)
	}
	out["logStreams"] = all
	return out, nil
}

// maxEvents is the most that one response has. Source: GetLogEvents.
const maxEvents = 10_000

// getLogEvents pages forward; at the end, the token stays as it was.
func (c *Cloud) getLogEvents(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	if !in.StartFromHead && in.NextToken == "" {
		return nil, refuse("InvalidParameterException", "awstest reads from the head only: startFromHead")
	}
	from, err := strconv.Atoi(strings.TrimPrefix(in.NextToken, "f/"))
	if in.NextToken != "" && err != nil {
		return nil, refuse("InvalidParameterException", "The specified nextToken is invalid.")
	}
	if in.Limit == 0 || in.Limit > maxEvents {
		in.Limit = maxEvents
	}
	s := g.streams[in.LogStreamName]
	to := min(from+in.Limit, len(s.events))
	events := []any{}
	for _, e := range s.events[min(from, to):to] {
		events = append(events, map[string]any{"timestamp": e.at, "ingestionTime": e.ingested, "message": e.message})
	}
	return map[string]any{"events": events, "nextForwardToken": fmt.Sprintf("f/%d", to), "nextBackwardToken": fmt.Sprintf("b/%d", from)}, nil
}

// filterLogEvents knows one form of pattern: words that all occur.
func (c *Cloud) filterLogEvents(call *Call) (any, error) {
	g, in, err := c.logsOf(call)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ReplaceAll(in.FilterPattern, `"`, ""))
	found := []any{}
	for _, name := range slices.Sorted(maps.Keys(g.streams)) {
		if !strings.HasPrefix(name, in.LogStreamNamePrefix) || in.LogStreamNames != nil && !slices.Contains(in.LogStreamNames, name) {
			continue
		}
		for i, e := range g.streams[name].events {
			missing := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(e.message, w) })
			if missing || e.at < in.StartTime || in.EndTime > 0 && e.at > in.EndTime {
				continue
			}
			found = append(found, map[string]any{"logStreamName": name, "timestamp": e.at, "ingestionTime": e.ingested, "message": e.message, "eventId": fmt.Sprintf("%s-%d", name, i)})
		}
	}
	return map[string]any{"events": found}, nil
}

// Package cloudwatchlogs implements port.LogStreams with a log group of CloudWatch Logs.
package cloudwatchlogs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Limits of PutLogEvents. Source: its API reference.
const (
	maxBatchBytes  = 1 << 20 // of the lines, with what counts for each of them
	maxBatchLines  = 10000
	overhead       = 26 // bytes that count for every line
	maxLine        = 256*1024 - overhead
	maxBatchPeriod = 24 * time.Hour
)

// Streams are the streams of one log group. It is safe for concurrent use.
type Streams struct {
	at      extension.AWS
	group   string
	options session.Options

	mu      sync.Mutex
	session *session.Session
	made    map[string]bool // streams that exist
}

var _ port.LogStreams = (*Streams)(nil)

// New connects to nothing yet.
func New(at extension.AWS, group string, o session.Options) *Streams {
	return &Streams{at: at, group: group, options: o, made: map[string]bool{}}
}

// event is a line as PutLogEvents takes it.
type event struct {
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
	Message   string `json:"message"`
}

// Append implements port.LogStreams. The group has to exist: its retention and its key
// are its owner's.
func (s *Streams) Append(ctx context.Context, stream string, lines []port.LogLine) error {
	aws, err := s.open(ctx)
	if err == nil {
		err = s.ensure(ctx, aws, stream)
	}
	if err != nil {
		return err
	}
	events := make([]event, 0, len(lines))
	for _, line := range lines {
		if text := cut(line.Text); text != "" { // an empty line is refused
			events = append(events, event{line.Time.UnixMilli(), text})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.Timestamp - b.Timestamp) })
	for _, batch := range batches(events) {
		in := map[string]any{"logGroupName": s.group, "logStreamName": stream, "logEvents": batch}
		var out struct {
			RejectedLogEventsInfo map[string]int `json:"rejectedLogEventsInfo"`
		}
		action := "write to the log stream " + s.group + ":" + stream
		if err := s.call(ctx, aws, action, "PutLogEvents", in, &out); err != nil {
			return err
		}
		if len(out.RejectedLogEventsInfo) > 0 {
			return fault.New(fault.Failed, "%s: lines were refused as too old or too new", action).Hint("check this machine's clock").Infrastructure()
		}
	}
	return nil
}

// open connects once.
func (s *Streams) open(ctx context.Context) (*session.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		aws, err := session.Open(ctx, s.at, s.options)
		if err != nil {
			return nil, err
		}
		s.session = aws
	}
	return s.session, nil
}

// ensure makes the stream unless this process has seen it. Two may try at the same time:
// it is made once.
func (s *Streams) ensure(ctx context.Context, aws *session.Session, stream string) error {
	s.mu.Lock()
	known := s.made[stream]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := aws.Check(ctx); err != nil {
		return err
	}
	in := map[string]string{"logGroupName": s.group, "logStreamName": stream}
	if err := s.call(ctx, aws, "make the log stream "+s.group+":"+stream, "CreateLogStream", in, nil); err != nil {
		return err
	}
	s.mu.Lock()
	s.made[stream] = true
	s.mu.Unlock()
	return nil
}

func (s *Streams) call(ctx context.Context, aws *session.Session, action, operation string, in, out any) error {
	err := aws.Call(ctx, session.API{Name: "logs", Target: "Logs_20140328", Version: "1.1"}, operation, in, out)
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "ResourceAlreadyExistsException":
		return nil // by an attempt whose response was lost, or by the run's process before
	case errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException":
		return fault.New(fault.NotFound, "%s: %s", action, api.ErrorMessage()).Hint("create the log group %s, or remove aws.logs", s.group).Infrastructure()
	}
	return aws.Explain(ctx, action, err)
}

// cut makes a line one that CloudWatch takes.
func cut(text string) string {
	const mark = " [cut]"
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine-len(mark)], "") + mark
	}
	return text
}

// batches divides lines, in the order of time, into calls that CloudWatch takes.
func batches(events []event) (all [][]event) {
	first, size := 0, 0
	for i, e := range events {
		n := len(e.Message) + overhead
		late := time.Duration(e.Timestamp-events[first].Timestamp)*time.Millisecond >= maxBatchPeriod
		if i > first && (size+n > maxBatchBytes || i-first == maxBatchLines || late) {
			all = append(all, events[first:i])
			first, size = i, 0
		}
		size += n
	}
	if first < len(events) {
		all = append(all, events[first:])
	}
	return all
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	maxLog     = 64 << 20 // bytes
	maxStreams = 50       // of a job: one for each instance
	maxPages   = 100      // of a stream at one look
)

var logsAPI = session.API{Name: "logs", Target: "Logs_20140328", Version: "1.1"}

// log is what a job printed, with Slipway's notes.
type log struct {
	mu     sync.Mutex
	text   []byte
	last   string
	cut    bool
	tokens map[string]string // by stream: where it is read on
}

// from returns what there is from a byte on.
func (l *log) from(offset int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset < 0 || offset >= int64(len(l.text)) {
		return nil
	}
	return l.text[offset:len(l.text):len(l.text)]
}

// note adds a line of Slipway's own, unless it is the last one.
func (l *log) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := fmt.Sprintf(format, args...); l.last != text {
		l.last = text
		l.text = fmt.Appendf(l.text, "slipway: %s\n", text)
	}
}

// line adds a line of the job.
func (l *log) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch text = strings.TrimRight(text, "\r\n"); {
	case l.cut:
	case len(l.text)+len(text)+1 <= maxLog:
		l.text = append(append(l.text, text...), '\n')
	default:
		l.cut = true
		l.text = fmt.Appendf(l.text, "slipway: more than %d MiB were printed; the rest is left out here, and in CloudWatch\n", maxLog>>20)
	}
}

func (f form) logGroup() string {
	if f.training {
		return "/aws/sagemaker/TrainingJobs"
	}
	return "/aws/sagemaker/ProcessingJobs"
}

// read adds what the job printed since the last time; more reports whether that was
// anything. It is called by one goroutine at a time.
func (l *log) read(ctx context.Context, c *connection, f form, name string) (more bool, err error) {
	action := "read the log of the job " + name
	in := map[string]any{"logGroupName": f.logGroup(), "logStreamNamePrefix": name + "/", "limit": maxStreams}
	var streams struct {
		LogStreams []struct {
			Name string `json:"logStreamName"`
		} `json:"logStreams"`
	}
	err = c.session.Call(ctx, logsAPI, "DescribeLogStreams", in, &streams)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException" {
		return false, nil // the first job of the account has printed nothing yet
	}
	if err != nil {
		return false, c.session.Explain(ctx, action, err)
	}
	if l.tokens == nil {
		l.tokens = map[string]string{}
	}
	for _, s := range streams.LogStreams {
		if l.tokens[s.Name] == "" {
			l.tokens[s.Name] = start
		}
	}
	for _, stream := range slices.Sorted(maps.Keys(l.tokens)) {
		found, err := l.readStream(ctx, c, f, stream, len(l.tokens) > 1)
		if err != nil {
			return more, c.session.Explain(ctx, action, err)
		}
		more = more || found
	}
	return more, nil
}

// start stands for no token.
const start = "start"

func (l *log) readStream(ctx context.Context, c *connection, f form, stream string, several bool) (more bool, err error) {
	host := ""
	if several {
		host = stream[strings.Index(stream, "/")+1:] + ": "
	}
	for range maxPages {
		in := map[string]any{"logGroupName": f.logGroup(), "logStreamName": stream, "startFromHead": true}
		if l.tokens[stream] != start {
			in["nextToken"] = l.tokens[stream]
		}
		var page struct {
			Events []struct {
				Message string `json:"message"`
			} `json:"events"`
			Next string `json:"nextForwardToken"`
		}
		if err := c.session.Call(ctx, logsAPI, "GetLogEvents", in, &page); err != nil {
			return more, err
		}
		for _, e := range page.Events {
			l.line(host + e.Message)
			more = true
		}
		if page.Next == "" || page.Next == l.tokens[stream] {
			return more, nil
		}
		l.tokens[stream] = page.Next
	}
	return more, nil
}

// follow reads the log, and says why where it can't be.
func (l *log) follow(ctx context.Context, c *connection, f form, name string) (more bool) {
	more, err := l.read(ctx, c, f, name)
	if fault.Is(err, fault.Denied) {
		l.note("%v (%s)", err, fault.HintOf(err))
	}
	return more
}

package cloudwatchlogs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const group = "/slipway/retail"

func start(t *testing.T) (*awstest.Lab, *Streams) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("alice"))
	l.Log(group, "of others")
	t.Cleanup(func() {
		if err := l.Invalid(); err != nil {
			t.Error(err)
		}
	})
	return l, New(extension.AWS{Account: awstest.Account, Region: awstest.Region}, group, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }})
}

func lines(texts ...string) (all []port.LogLine) {
	for _, text := range texts {
		all = append(all, port.LogLine{Time: time.Now(), Text: text})
	}
	return all
}

func TestStreams_Append(t *testing.T) {
	l, s := start(t)
	const stream = "prod/20260102-000000-bbbb"
	for _, text := range []string{"one", "two"} {
		if err := s.Append(t.Context(), stream, lines(text, "")); err != nil {
			t.Fatal(err)
		}
	}
	// Another process goes on with the run.
	again := New(s.at, group, s.options)
	if err := again.Append(t.Context(), stream, lines("three")); err != nil {
		t.Fatal(err)
	}
	if got := l.LogLines(group, stream); !slices.Equal(got, []string{"one", "two", "three"}) || l.Count("logs", "CreateLogStream") != 1 {
		t.Errorf("lines %q", got)
	}
}

// Batches keep CloudWatch's limits: 1 MiB, 10,000 lines, 24 hours, in the order of time.
func TestStreams_Limits(t *testing.T) {
	l, s := start(t)
	var many []port.LogLine
	for i := range 25_000 {
		many = append(many, port.LogLine{Time: time.Now().Add(-time.Duration(i) * time.Millisecond), Text: fmt.Sprint(i)})
	}
	long := lines(strings.Repeat("é", 1<<20), strings.Repeat("x", 250_000), strings.Repeat("y", 250_000), strings.Repeat("z", 250_000), strings.Repeat("w", 250_000), strings.Repeat("\xff", 100))
	old := []port.LogLine{{Time: time.Now().Add(-40 * time.Hour), Text: "old"}, {Time: time.Now(), Text: "new"}}
	for stream, all := range map[string][]port.LogLine{"many": many, "long": long, "old": old} {
		if err := s.Append(t.Context(), stream, all); err != nil {
			t.Errorf("%s: %v", stream, err)
		}
		if got := l.LogLines(group, stream); len(got) != len(all) {
			t.Errorf("%s: %d lines of %d", stream, len(got), len(all))
		}
	}
	if got := l.LogLines(group, "long")[0]; len(got) > maxLine || !strings.HasSuffix(got, "é [cut]") {
		t.Errorf("a line of %d bytes", len(got))
	}
	if got := l.LogLines(group, "many"); got[0] != "24999" || got[24_999] != "0" {
		t.Error("lines are not in the order of time")
	}
	if n := l.Count("logs", "PutLogEvents"); n != 3+2+2 {
		t.Errorf("%d calls", n)
	}
}

func TestStreams_Errors(t *testing.T) {
	l, s := start(t)
	if err := New(s.at, "/absent", s.options).Append(t.Context(), "s", lines("x")); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "create the log group /absent") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if err := s.Append(t.Context(), "s", []port.LogLine{{Time: time.Now().Add(-20 * 24 * time.Hour), Text: "x"}}); !fault.Is(err, fault.Failed) {
		t.Errorf("error %v for a line that is too old", err)
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Denied })
	if err := s.Append(t.Context(), "other", lines("x")); !fault.Is(err, fault.Denied) || fault.HintOf(err) != "add logs:CreateLogStream to the policy of the role" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
}

// A stream whose creation was answered into the void exists.
func TestStreams_LostResponse(t *testing.T) {
	l, s := start(t)
	lost := false
	l.Inject(func(c *awstest.Call) awstest.Fault {
		if c.Operation.Name == "CreateLogStream" && !lost {
			lost = true
			return awstest.ResponseLost
		}
		return awstest.NoFault
	})
	if err := s.Append(t.Context(), "s", lines("x")); err != nil {
		t.Error(err)
	}
	if got := l.LogLines(group, "s"); len(got) != 1 {
		t.Errorf("lines %q", got)
	}
}

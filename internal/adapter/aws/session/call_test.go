package session_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

var logsAPI = session.API{Name: "logs", Target: "Logs_20140328", Version: "1.1"}

func TestSession_Call(t *testing.T) {
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("alice"))
	l.Log("g", "other")
	s, err := session.Open(t.Context(), extension.AWS{Region: awstest.Region}, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	create := func(group string) error {
		err := s.Call(t.Context(), logsAPI, "CreateLogStream", map[string]string{"logGroupName": group, "logStreamName": "s"}, nil)
		return s.Explain(t.Context(), "make a stream", err)
	}
	calls := 0
	l.Inject(func(*awstest.Call) awstest.Fault {
		if calls++; calls < 4 {
			return []awstest.Fault{awstest.Throttled, awstest.Unavailable, awstest.Throttled}[calls-1]
		}
		return awstest.NoFault
	})
	if err := create("g"); err != nil || calls != 4 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := create("g"); err == nil || !strings.Contains(err.Error(), "ResourceAlreadyExistsException") {
		t.Errorf("error %v", err)
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Denied })
	if err := create("g"); !fault.Is(err, fault.Denied) || fault.HintOf(err) != "add logs:CreateLogStream to the policy of the role" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Unavailable })
	if err := create("g"); !fault.Is(err, fault.Unavailable) || !fault.IsInfrastructure(err) {
		t.Errorf("error %v", err)
	}
	var out struct {
		LogStreams []struct{ LogStreamName string }
	}
	l.Inject(nil)
	if err := s.Call(t.Context(), logsAPI, "DescribeLogStreams", map[string]string{"logGroupName": "g", "logStreamNamePrefix": "s"}, &out); err != nil || len(out.LogStreams) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
	awstest.As(t, awstest.Principal{})
	if s, err = session.Open(t.Context(), extension.AWS{Region: awstest.Region}, session.Options{Client: l.Client}); err != nil {
		t.Fatal(err)
	}
	if err := create("g"); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("error %v without credentials", err)
	}
}

// transport answers everything.
type transport func(*http.Request) *http.Response

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r), nil }

// A response without end is an error, and a proxy's page is one that names the status.
func TestSession_CallEndlessResponse(t *testing.T) {
	awstest.Start(t, awstest.Config{})
	awstest.As(t, awstest.Principal{AccessKey: "AKIA", SecretKey: "secret"})
	for status, want := range map[int]string{http.StatusOK: "larger than 8 MiB", http.StatusNotFound: "HTTP 404"} {
		client := transport(func(r *http.Request) *http.Response {
			body := io.Reader(strings.NewReader("<html>"))
			if status == http.StatusOK {
				body = io.MultiReader(strings.NewReader(`{"x":"`), endless{})
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}
		})
		s, err := session.Open(t.Context(), extension.AWS{Region: awstest.Region}, session.Options{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		var out struct{}
		if err := s.Call(t.Context(), logsAPI, "DescribeLogStreams", struct{}{}, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }

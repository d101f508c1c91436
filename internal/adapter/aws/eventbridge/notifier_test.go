package eventbridge

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// start starts an AWS with a bus, whose user this process is.
func start(t *testing.T) (l *awstest.Lab, bus string, o session.Options) {
	t.Helper()
	l = awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("alice"))
	return l, l.AddBus("releases"), session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}
}

func TestNotifier_Conformance(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T) porttest.NotifierFixture {
		c, bus, options := start(t)
		return porttest.NotifierFixture{
			Notifier: New(bus, options),
			Respond: func(status int) {
				c.Inject(func(*awstest.Call) awstest.Fault {
					switch status {
					case http.StatusServiceUnavailable:
						return awstest.Unavailable
					case http.StatusForbidden:
						return awstest.Denied
					}
					return awstest.NoFault
				})
			},
			Received: func() (all []string) {
				for _, e := range c.Events(bus) {
					all = append(all, e.Detail)
				}
				return all
			},
			Stop: c.Stop, Secrets: []string{"secret/of/principal"}, Permanent: map[int]fault.Kind{http.StatusForbidden: fault.Denied},
		}
	})
}

// The event is one that rules can match by source and outcome.
func TestNotifier_Event(t *testing.T) {
	c, bus, options := start(t)
	m := port.Message{ID: "r-1", Title: "prod: deployed", Text: "run r-1 in prod", JSON: []byte(`{"kind":"run.finished","environment":"prod","outcome":"deployed"}`)}
	if err := New(bus, options).Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := c.Events(bus)
	if len(got) != 1 || got[0].Source != Source || got[0].DetailType != DetailType {
		t.Fatalf("events %+v", got)
	}
	var d struct {
		Title string
		Event struct{ Outcome, Environment string }
	}
	if err := json.Unmarshal([]byte(got[0].Detail), &d); err != nil || d.Title != m.Title || d.Event.Outcome != "deployed" || d.Event.Environment != "prod" {
		t.Errorf("detail %s, %v", got[0].Detail, err)
	}
	if err := c.Invalid(); err != nil {
		t.Error(err)
	}
}

// A call that succeeds may have taken nothing: FailedEntryCount counts.
func TestNotifier_FailedEntries(t *testing.T) {
	for code, kind := range map[string]fault.Kind{
		"InternalFailure": fault.Unavailable, "ThrottlingException": fault.Unavailable, "NotAuthorizedForSource": fault.Invalid,
	} {
		c, bus, options := start(t)
		c.FailEntries(func(awstest.Event) string { return code })
		err := New(bus, options).Notify(t.Context(), port.Message{ID: "1", Title: "t", Text: "x"})
		if !fault.Is(err, kind) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: error %v, want %s", code, err, kind)
		}
		if n := len(c.Events(bus)); n != 0 {
			t.Errorf("%s: %d events", code, n)
		}
	}
}

// What is longer than EventBridge takes is sent without its end.
func TestNotifier_Limits(t *testing.T) {
	c, bus, options := start(t)
	long := port.Message{ID: "1", Title: "long", Text: strings.Repeat("\x01é", 1<<20), JSON: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}
	if err := New(bus, options).Notify(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if got := c.Events(bus); len(got) != 1 || len(got[0].Detail) > maxDetail || !strings.Contains(got[0].Detail, "é") {
		t.Errorf("%d events", len(got))
	}
}

// Throttled and lost in the middle: one event, or two of the same id.
func TestNotifier_Retries(t *testing.T) {
	c, bus, options := start(t)
	calls := 0
	c.Inject(func(*awstest.Call) awstest.Fault {
		calls++
		return []awstest.Fault{awstest.Throttled, awstest.Unavailable, awstest.ResponseLost, awstest.NoFault}[min(calls-1, 3)]
	})
	if err := New(bus, options).Notify(t.Context(), port.Message{ID: "same", Title: "t", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	got := c.Events(bus)
	if calls != 4 || len(got) != 2 || got[0] != got[1] {
		t.Errorf("%d calls, events %+v", calls, got)
	}
}

func TestNotifier_Name(t *testing.T) {
	if got := New("arn:aws:events:ap-southeast-1:111122223333:event-bus/releases", session.Options{}).Name(); got != "eventbridge releases" {
		t.Errorf("%q", got)
	}
}

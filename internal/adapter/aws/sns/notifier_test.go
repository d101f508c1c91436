package sns

import (
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

// start starts an AWS with a topic, whose user this process is.
func start(t *testing.T) (l *awstest.Lab, topic string, o session.Options) {
	t.Helper()
	l = awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("alice"))
	return l, l.AddTopic("releases"), session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}
}

func TestNotifier_Conformance(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T) porttest.NotifierFixture {
		c, topic, options := start(t)
		secret := "secret/of/principal"
		return porttest.NotifierFixture{
			Notifier: New(topic, options),
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
				for _, m := range c.Messages(topic) {
					all = append(all, m.Subject+"\n"+m.Text)
				}
				return all
			},
			Stop: c.Stop, Secrets: []string{secret}, Permanent: map[int]fault.Kind{http.StatusForbidden: fault.Denied},
		}
	})
}

// What SNS refuses is made what it takes.
func TestNotifier_Limits(t *testing.T) {
	c, topic, options := start(t)
	n := New(topic, options)
	for _, m := range []port.Message{
		{Title: strings.Repeat("x", 200), Text: "long title"},
		{Title: "prod: deployed é\n\x1b[2J", Text: "odd title"},
		{Title: "long text", Text: strings.Repeat("é", maxMessage)},
	} {
		if err := n.Notify(t.Context(), m); err != nil {
			t.Errorf("%s: %v", m.Title, err)
		}
	}
	if err := c.Invalid(); err != nil {
		t.Error(err)
	}
	got := c.Messages(topic)
	if len(got) != 3 || len(got[0].Subject) != maxSubject || got[1].Subject != "prod: deployed ???[2J" || len(got[2].Text) != maxMessage {
		t.Errorf("%d messages, subjects %q", len(got), got[1].Subject)
	}
}

// Without credentials, as in a pull request's job without a role, one short line says so.
func TestNotifier_NoCredentials(t *testing.T) {
	c, topic, options := start(t)
	awstest.As(t, awstest.Principal{})
	err := New(topic, options).Notify(t.Context(), port.Message{Title: "dev: succeeded", Text: "run"})
	if want := "publish to " + topic + ": no credentials of AWS found"; !fault.Is(err, fault.Denied) || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
	if n := len(c.Messages(topic)); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestNotifier_Name(t *testing.T) {
	if got := New("arn:aws:sns:ap-southeast-1:111122223333:releases", session.Options{}).Name(); got != "sns releases" {
		t.Errorf("%q", got)
	}
}

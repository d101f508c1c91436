package resources

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// lab is an AWS, and an Account whose connection can be cut.
type lab struct {
	*awstest.Lab
	t       *testing.T
	account *Account
	hand    *Account // of somebody else
	wire    *wire
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Lab: awstest.Start(t, awstest.Config{}), t: t}
	awstest.As(t, l.AddUser("admin"))
	l.wire = &wire{client: l.Client}
	at := extension.AWS{Account: awstest.Account, Region: awstest.Region}
	l.account = New(at, session.Options{Client: l.wire, Backoff: func(int) time.Duration { return 0 }})
	l.hand = New(at, session.Options{Client: l.Client})
	return l
}

// wire is a connection that breaks at a request and stays broken, as for a process that
// is killed.
type wire struct {
	client *http.Client

	mu           sync.Mutex
	sent, broken int
	done         bool
}

// Do implements aws.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.sent++
	at, last, done := w.sent, w.broken, w.done
	w.mu.Unlock()
	if last > 0 && (at > last || at == last && !done) {
		return nil, errors.New("the process was killed")
	}
	res, err := w.client.Do(r)
	if last > 0 && at == last && err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return nil, errors.New("the process was killed")
	}
	return res, err
}

func (w *wire) kill(n int, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken, w.done = w.sent+n, done
}

func (w *wire) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = 0
}

// isWrite reports whether an operation changes something.
func isWrite(operation string) bool {
	for _, reads := range []string{"Get", "List", "Describe", "Head"} {
		if strings.HasPrefix(operation, reads) {
			return false
		}
	}
	return true
}

// fixture is that of the suite, for a kind and what is to be made.
func (l *lab) fixture(want account.Resource, foreign func(), drifts map[string]func()) porttest.AccountFixture {
	var refused map[string]bool
	return porttest.AccountFixture{
		Account: l.account.Kinds()[want.Kind], Want: want, Foreign: foreign, Drifts: drifts,
		Set: account.Set{Account: awstest.Account, Region: awstest.Region, Project: "retail"},
		Deny: func(deny bool) func() int {
			if !deny {
				l.Inject(nil)
				return nil
			}
			refused = map[string]bool{}
			l.Inject(func(c *awstest.Call) awstest.Fault {
				if !isWrite(c.Operation.Name) {
					return awstest.NoFault
				}
				refused[c.Operation.Name] = true
				return awstest.Denied
			})
			return func() int { return len(refused) }
		},
		Kill: func(n int, done bool) {
			// Who it is has been asked before: that is not what is tested.
			if _, err := l.account.Kinds()[want.Kind].Read(l.t.Context(), want); err != nil {
				l.t.Fatal(err)
			}
			l.wire.kill(n, done)
		},
		Revive: func() { l.wire.revive() }, Break: func() { l.wire.kill(1, false) },
	}
}

// run runs the suite for a kind, and holds every request to AWS's models.
func run(t *testing.T, start func(l *lab) porttest.AccountFixture) {
	porttest.TestAccount(t, func(t *testing.T) porttest.AccountFixture {
		l := newLab(t)
		t.Cleanup(func() {
			if err := l.Invalid(); err != nil {
				t.Error(err)
			}
		})
		return start(l)
	})
}

// as makes sure that a change by hand succeeds.
func (l *lab) as(_ string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Error(err)
	}
}

// byHand calls IAM as somebody else.
func (l *lab) byHand(operation string, pairs ...string) func() {
	return func() {
		l.as(l.hand.iam(l.t.Context(), "change it by hand", operation, form(pairs...), nil))
		l.account.forget()
	}
}

var _ port.Account = role{}

package porttest

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// NotifierFixture is the other end of a notifier in a test.
type NotifierFixture struct {
	Notifier  port.Notifier
	Respond   func(status int)   // what the receiver answers from now on
	Received  func() []string    // texts that arrived
	Stop      func()             // the receiver is gone
	Secrets   []string           // must not appear in any message
	Permanent map[int]fault.Kind // statuses after which trying again is of no use
}

// TestNotifier holds a notifier to the promises of port.Notifier.
func TestNotifier(t *testing.T, open func(*testing.T) NotifierFixture) {
	m := port.Message{ID: "m-1", Title: "prod: deployed", Text: "run 1 in prod", JSON: []byte(`{"run":"1"}`)}
	clean := func(t *testing.T, r NotifierFixture, s string) {
		t.Helper()
		for _, secret := range r.Secrets {
			if strings.Contains(s, secret) {
				t.Errorf("%q gives a secret away", s)
			}
		}
	}
	t.Run("delivers", func(t *testing.T) {
		r := open(t)
		if err := r.Notifier.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Received(), "\n"); !strings.Contains(got, "run 1 in prod") && !strings.Contains(got, `"run":"1"`) {
			t.Errorf("the receiver got %q", got)
		}
		clean(t, r, r.Notifier.Name())
		if r.Notifier.Name() == "" {
			t.Error("no name")
		}
	})
	t.Run("errors may be tried again, and tell no secret", func(t *testing.T) {
		r := open(t)
		r.Respond(503)
		err := r.Notifier.Notify(t.Context(), m)
		if err == nil || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied) {
			t.Fatalf("after a 503: %v", err)
		}
		clean(t, r, err.Error()+fault.HintOf(err))
		r.Stop()
		err = r.Notifier.Notify(t.Context(), m)
		if err == nil || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied) {
			t.Fatalf("without a receiver: %v", err)
		}
		clean(t, r, err.Error()+fault.HintOf(err))
	})
	t.Run("hopeless errors say so", func(t *testing.T) {
		r := open(t)
		for status, kind := range r.Permanent {
			r.Respond(status)
			err := r.Notifier.Notify(t.Context(), m)
			if !fault.Is(err, kind) {
				t.Errorf("after a %d: %v", status, err)
			}
			if err != nil {
				clean(t, r, err.Error()+fault.HintOf(err))
			}
		}
	})
}

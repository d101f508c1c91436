package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

const (
	// flushTimeout is how long the end of a run waits for its last messages; the next
	// run sends the rest.
	flushTimeout = 3 * time.Second
	// maxAttempts is the number of attempts after which a message is given up:
	// with the waits doubling from 1 s to 10 min that is about a day.
	maxAttempts = 150
	// claimTimeout is how long a message that a process has begun to send is left to it:
	// longer than any receiver is waited for. Then another process sends it again.
	claimTimeout = time.Minute
)

// notifications stores the messages that receivers subscribe to, and sends them while
// the run continues: it never blocks a run, and never fails it.
type notifications struct {
	store       record.Outbox
	subscribers []subscriber
	now         func() time.Time
	warnings    func(event.Event)
	sender      string // this process, for people

	wake   chan struct{}
	stop   context.CancelFunc
	closed chan struct{}
	once   sync.Once
	busy   atomic.Bool // messages are being sent
}

type subscriber struct {
	port.Notifier
	outcomes []delivery.Outcome // of runs; none: all
}

// startNotifications starts the delivery; Close ends it.
func (s *session) startNotifications(ctx context.Context) (*notifications, error) {
	n := &notifications{store: s.deps.Outbox, now: s.app.Clock, warnings: s.warnings(),
		sender: s.engine.Name(), wake: make(chan struct{}, 1), closed: make(chan struct{})}
	for _, c := range s.project.Notify {
		if refs := extension.SecretsOf(c.Section); slices.ContainsFunc(refs, func(ref extension.Secret) bool { return !s.isReleased(string(ref)) }) {
			s.notice("", fmt.Sprintf("no notification is sent to %s: a %s may not use its secrets", c.Kind, eventTitle(s.event())))
			continue
		}
		r, err := s.subscriber(c)
		if err != nil {
			return nil, err
		}
		n.subscribers = append(n.subscribers, r)
	}
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	go n.deliver(ctx)
	return n, nil
}

// announce sends every receiver a message that is about no run: as far as it can now,
// the rest with the next run.
func (s *session) announce(ctx context.Context, env delivery.Environment, title, text string) error {
	n, err := s.startNotifications(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	now := s.app.Clock()
	body, err := json.Marshal(event.Event{Time: now, Kind: event.Notice, Environment: env, Text: text})
	if err != nil {
		return err
	}
	for _, r := range n.subscribers {
		m := port.Message{ID: fmt.Sprintf("%s-%d", event.Notice, now.UnixNano()), Title: fmt.Sprintf("%s: %s", env, title), Text: text, JSON: body}
		if err := s.deps.Outbox.Post(ctx, r.Name(), m); err != nil {
			return err
		}
	}
	return nil
}

// warnings returns the function that reports failures to send messages.
func (s *session) warnings() func(event.Event) {
	sink := s.engine.Sink
	return func(e event.Event) { sink.Emit(s.redactor.Event(e)) }
}

func (s *session) subscriber(c config.Notify) (subscriber, error) {
	kind, err := s.app.Kinds.Notifier(c.Kind)
	if err != nil {
		return subscriber{}, err
	}
	n, err := kind.New(c.Section, s.releasedVariable, s.app.Clock)
	return subscriber{n, c.Events}, err
}

// announce stores a message for each receiver that subscribes to the outcome of the run.
// The same end of a run is the same message, whichever process announces it: a run that
// was taken over keeps its place in the queue, and one that goes on after it waited gets
// another one.
func (n *notifications) announce(ctx context.Context, run record.Run, e event.Event) {
	for _, r := range n.subscribers {
		if len(r.outcomes) > 0 && !slices.Contains(r.outcomes, e.Outcome) {
			continue
		}
		body, err := json.Marshal(e)
		if err != nil {
			continue
		}
		m := port.Message{
			ID:    fmt.Sprintf("%s-%s-%d-%s", e.Run, e.Kind, run.Seq, e.Outcome),
			Title: fmt.Sprintf("%s: %s", e.Environment, e.Outcome), Text: summarize(e), JSON: body,
		}
		if err := n.store.Post(ctx, r.Name(), m); err != nil {
			n.warnings(event.Event{Time: n.now(), Kind: event.Notice, Run: e.Run, Text: "store a message to " + r.Name() + ": " + err.Error()})
		}
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func summarize(e event.Event) string {
	s := fmt.Sprintf("run %s in %s", e.Run, e.Environment)
	if e.Outcome != "" {
		s += ": " + string(e.Outcome)
	}
	if e.Release != "" {
		s += ", release " + string(e.Release)
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// Close waits up to flushTimeout for messages that are due, then stops.
func (n *notifications) Close() {
	n.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		for len(n.subscribers) > 0 && ctx.Err() == nil {
			due, err := n.store.Due(ctx, n.now(), 1)
			if err != nil || len(due) == 0 && !n.busy.Load() {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		n.stop()
		<-n.closed
	})
}

func (n *notifications) deliver(ctx context.Context) {
	defer close(n.closed)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(n.subscribers) > 0 {
		n.deliverDue(ctx)
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-tick.C:
		}
	}
}

// deliverDue tries to send every message that is due, once.
func (n *notifications) deliverDue(ctx context.Context) {
	n.busy.Store(true)
	defer n.busy.Store(false)
	due, err := n.store.Due(ctx, n.now(), 100)
	if err != nil {
		return
	}
	for _, o := range due {
		for _, r := range n.subscribers {
			if r.Name() == o.Receiver && ctx.Err() == nil {
				n.deliverOne(ctx, r, o)
			}
		}
	}
}

// deliverOne sends the message, if no other process does. One that was claimed and never
// recorded as sent is sent again: better twice than not at all.
func (n *notifications) deliverOne(ctx context.Context, r subscriber, o record.OutboxMessage) {
	ok, err := n.store.Claim(ctx, o, n.sender, n.now().Add(claimTimeout))
	if err != nil || !ok {
		return // the next look finds it again, if it is still to be sent
	}
	if o.Claimed != "" {
		n.warnings(event.Event{Time: n.now(), Kind: event.Notice,
			Text: fmt.Sprintf("send %q to %s a second time, perhaps: %s began to, and did not record how it ended", o.Message.Title, r.Name(), o.Claimed)})
	}
	err = r.Notify(ctx, o.Message)
	switch {
	case ctx.Err() != nil:
		return // interrupted: the receiver drops a duplicate by its ID
	case err == nil:
		err = n.store.MarkSent(ctx, o.ID)
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied) || o.Attempts >= maxAttempts:
		n.warnings(event.Event{Time: n.now(), Kind: event.Notice, Text: "gave up sending a message to " + r.Name() + ": " + err.Error()})
		err = n.store.MarkSent(ctx, o.ID)
	default:
		wait := min(time.Second<<min(o.Attempts, 10), 10*time.Minute)
		err = n.store.Reschedule(ctx, o.ID, n.now().Add(wait))
	}
	if err != nil {
		n.warnings(event.Event{Time: n.now(), Kind: event.Notice, Text: "record the attempt to send a message to " + r.Name() + ": " + err.Error()})
	}
}

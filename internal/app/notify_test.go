package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// receiver notes which messages it got. It fails as often as failures says.
type receiver struct {
	mu       sync.Mutex
	got      []string
	failures int
	refusal  error  // of every message
	during   func() // while a message is on its way
}

func (*receiver) Name() string { return "chat" }

func (r *receiver) Notify(_ context.Context, m port.Message) error {
	if r.during != nil {
		r.during()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusal != nil {
		return r.refusal
	}
	if r.failures--; r.failures >= 0 {
		return fault.New(fault.Unavailable, "no route to chat")
	}
	r.got = append(r.got, m.ID)
	return nil
}

// sender is a machine with an empty disk that sends what is in the log's outbox.
type sender struct {
	*notifications
	told []string
}

func newSender(t *testing.T, objects port.ObjectStore, r *receiver, name string, now func() time.Time) *sender {
	t.Helper()
	log, err := statelog.Open(t.Context(), objects, now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.OpenView(t.Context(), t.TempDir(), "retail", now, log, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := &sender{}
	s.notifications = &notifications{
		store: store.Outbox(), subscribers: []subscriber{{Notifier: r}}, now: now, sender: name,
		warnings: func(e event.Event) { s.told = append(s.told, e.Text) },
	}
	return s
}

func (s *sender) post(t *testing.T, n int) {
	t.Helper()
	if err := s.store.Post(t.Context(), "chat", port.Message{ID: fmt.Sprint("m", n), Title: "prod: deployed"}); err != nil {
		t.Fatal(err)
	}
}

// TestNotifications_SentOnce: of machines that find the same messages, one sends each.
func TestNotifications_SentOnce(t *testing.T) {
	objects, chat := &fake.ObjectStore{}, &receiver{failures: 2}
	now := time.Now()
	var senders []*sender
	for i := range 3 {
		senders = append(senders, newSender(t, objects, chat, fmt.Sprint("machine ", i), func() time.Time { return now }))
	}
	var want []string
	for n := range 8 {
		senders[n%3].post(t, n)
		want = append(want, fmt.Sprint("m", n))
	}
	for len(chat.got) < len(want) {
		var all sync.WaitGroup
		for _, s := range senders {
			all.Go(func() { s.deliverDue(t.Context()) })
		}
		all.Wait()
		if now = now.Add(time.Second); t.Context().Err() != nil {
			t.Fatal("the messages are not sent")
		}
	}
	slices.Sort(chat.got)
	if !slices.Equal(chat.got, want) {
		t.Errorf("the receiver got %v, want each message once", chat.got)
	}
	for _, s := range senders {
		if len(s.told) > 0 {
			t.Errorf("told %q, want nothing: no process died", s.told)
		}
	}
}

// TestNotifications_Denied: what the receiver will never take is given up, and one line
// says so.
func TestNotifications_Denied(t *testing.T) {
	chat := &receiver{refusal: fault.New(fault.Denied, "publish to chat").Cause(errors.New("no credentials found")).Hint("log in")}
	s := newSender(t, &fake.ObjectStore{}, chat, "machine", time.Now)
	s.post(t, 1)
	for range 3 {
		s.deliverDue(t.Context())
	}
	if want := []string{"gave up sending a message to chat: publish to chat: no credentials found"}; !slices.Equal(s.told, want) {
		t.Errorf("told %q, want %q", s.told, want)
	}
}

// read is an outbox whose messages were read some time ago.
type read struct {
	record.Outbox
	due []record.OutboxMessage
}

func (r read) Due(context.Context, time.Time, int) ([]record.OutboxMessage, error) {
	return r.due, nil
}

// TestNotifications_ReadBefore: a machine that read a message before another one claimed
// it does not send it as well.
func TestNotifications_ReadBefore(t *testing.T) {
	objects, chat := &fake.ObjectStore{}, &receiver{}
	first, second := newSender(t, objects, chat, "first", time.Now), newSender(t, objects, chat, "second", time.Now)
	first.post(t, 1)
	due, err := second.store.Due(t.Context(), time.Now(), 0)
	if err != nil || len(due) != 1 {
		t.Fatalf("due: %+v, error = %v, want one", due, err)
	}
	second.store = read{second.store, due}
	chat.during = func() {
		chat.during = nil
		second.deliverDue(t.Context()) // while the first one is sending
	}
	first.deliverDue(t.Context())
	second.deliverDue(t.Context())
	if want := []string{"m1"}; !slices.Equal(chat.got, want) {
		t.Errorf("the receiver got %v, want %v", chat.got, want)
	}
}

// TestNotifications_SenderDied: a message whose sender died is sent again once its claim
// is over, and people are told that this may be the second time.
func TestNotifications_SenderDied(t *testing.T) {
	objects, chat := &fake.ObjectStore{}, &receiver{}
	now := time.Now()
	clock := func() time.Time { return now }
	dies, other := newSender(t, objects, chat, "process 7 on ci-1", clock), newSender(t, objects, chat, "process 8 on ci-2", clock)
	dies.post(t, 1)
	ctx, kill := context.WithCancel(t.Context())
	chat.during = kill
	dies.deliverDue(ctx)
	chat.during = nil
	other.deliverDue(t.Context())
	if want := []string{"m1"}; !slices.Equal(chat.got, want) {
		t.Errorf("while the claim holds the receiver got %v, want %v", chat.got, want)
	}
	now = now.Add(claimTimeout)
	other.deliverDue(t.Context())
	if want := []string{"m1", "m1"}; !slices.Equal(chat.got, want) {
		t.Errorf("after that it got %v, want %v", chat.got, want)
	}
	if len(other.told) != 1 || !strings.Contains(other.told[0], "process 7 on ci-1") {
		t.Errorf("told %q, want which process began to send it", other.told)
	}
	now = now.Add(2 * claimTimeout)
	dies.deliverDue(t.Context())
	if len(chat.got) != 2 {
		t.Errorf("in the end it got %v, want no more", chat.got)
	}
}

// TestNotifications_Close: the end of a run waits for a message that is on its way.
func TestNotifications_Close(t *testing.T) {
	chat := &receiver{during: func() { time.Sleep(300 * time.Millisecond) }}
	s := newSender(t, &fake.ObjectStore{}, chat, "here", time.Now)
	s.wake, s.closed = make(chan struct{}, 1), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	s.post(t, 1)
	go s.deliver(ctx)
	s.Close()
	due, err := s.store.Due(t.Context(), time.Now().Add(time.Hour), 0)
	if err != nil || len(due) > 0 || len(chat.got) != 1 {
		t.Errorf("the receiver got %v, %d are left (error = %v), want one and none", chat.got, len(due), err)
	}
}

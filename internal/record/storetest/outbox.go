package storetest

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

func testOutbox(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	now := time.Now()
	m := port.Message{ID: "m1", Title: "deployed", Text: "r-1 serves", JSON: []byte(`{"a":1}`)}
	ok(t, s.Outbox().Post(t.Context(), "chat", m))
	ok(t, s.Outbox().Post(t.Context(), "chat", m))
	ok(t, s.Outbox().Post(t.Context(), "mail", m))
	ok(t, s.Outbox().Post(t.Context(), "chat", port.Message{ID: "m2", Title: "later"}))
	due := must(s.Outbox().Due(t.Context(), now, 0))
	if len(due) != 3 || due[0].Receiver != "chat" || due[1].Receiver != "mail" || due[2].Message.ID != "m2" {
		t.Fatalf("due: %+v", due)
	}
	same(t, "message", due[0].Message, m)
	same(t, "limit", len(must(s.Outbox().Due(t.Context(), now, 2))), 2)
	later := now.Add(time.Minute).UTC()
	ok(t, s.Outbox().Reschedule(t.Context(), due[0].ID, later))
	same(t, "put off", len(must(s.Outbox().Due(t.Context(), now, 0))), 2)
	again := must(s.Outbox().Due(t.Context(), later, 0))
	if len(again) != 3 || again[0].ID != due[0].ID || again[0].Attempts != 1 || !again[0].Next.Equal(later) {
		t.Errorf("after its time: %+v", again)
	}
	ok(t, s.Outbox().MarkSent(t.Context(), due[1].ID))
	ok(t, s.Outbox().MarkSent(t.Context(), due[1].ID))
	same(t, "sent", len(must(s.Outbox().Due(t.Context(), later, 0))), 2)
	ok(t, s.Outbox().Post(t.Context(), "mail", m))
	same(t, "posted again after it was sent", len(must(s.Outbox().Due(t.Context(), later, 0))), 2)
}

// testOutboxClaim: a message is sent by one process, and by another one only after the
// first has failed, or recorded nothing for as long as its claim holds.
func testOutboxClaim(t *testing.T, open func(*testing.T) record.Store) {
	a, b := closing(t, open(t)), closing(t, open(t))
	now := time.Now().UTC()
	ok(t, a.Outbox().Post(t.Context(), "chat", port.Message{ID: "m1", Title: "deployed"}))
	read := func(s record.Store, at time.Time) record.OutboxMessage {
		t.Helper()
		due := must(s.Outbox().Due(t.Context(), at, 0))
		if len(due) != 1 {
			t.Fatalf("due: %+v, want one", due)
		}
		return due[0]
	}
	claim := func(s record.Store, m record.OutboxMessage, by string, until time.Time) bool {
		t.Helper()
		return must(s.Outbox().Claim(t.Context(), m, by, until))
	}
	first, second := read(a, now), read(b, now)
	same(t, "claimed before", first.Claimed, "")
	same(t, "first claim", claim(a, first, "a", now.Add(time.Minute)), true)
	same(t, "claim of what another process has claimed", claim(b, second, "b", now.Add(time.Minute)), false)
	same(t, "due while it is sent", len(must(b.Outbox().Due(t.Context(), now, 0))), 0)

	later := now.Add(time.Minute)
	left := read(b, later)
	same(t, "claimed by one that recorded nothing", left.Claimed, "a")
	same(t, "claim after that", claim(b, left, "b", later.Add(time.Minute)), true)
	same(t, "claim with what was read before", claim(a, left, "a", later.Add(time.Minute)), false)
	ok(t, b.Outbox().Reschedule(t.Context(), left.ID, later.Add(time.Second)))
	failed := read(a, later.Add(time.Second))
	same(t, "claimed by one that failed", failed.Claimed, "")
	same(t, "attempts", failed.Attempts, 1)
	same(t, "claim after a failure", claim(a, failed, "a", later.Add(time.Hour)), true)
	ok(t, a.Outbox().MarkSent(t.Context(), failed.ID))
	same(t, "claim after it was sent", claim(b, failed, "b", later.Add(time.Hour)), false)
}

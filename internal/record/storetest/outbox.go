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

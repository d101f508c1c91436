package record

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// OutboxMessage is a message to one receiver that has not been delivered.
type OutboxMessage struct {
	ID       int64
	Receiver string // Notifier.Name
	Message  port.Message
	Attempts int
	Next     time.Time // not before
	Claimed  string    // who began to send it, and recorded neither success nor failure; empty: no one
}

// Outbox keeps messages until they are delivered.
type Outbox interface {
	// Post keeps a message for a receiver; the same message ID for the same
	// receiver is kept once, also after it was sent.
	Post(ctx context.Context, receiver string, m port.Message) error
	// Due lists messages whose time has come, oldest first.
	Due(ctx context.Context, now time.Time, limit int) ([]OutboxMessage, error)
	// Claim reserves a message of Due for the caller, which then sends it, up to the
	// given time: until then it is not due. ok is false if another process was faster.
	Claim(ctx context.Context, m OutboxMessage, by string, until time.Time) (ok bool, err error)
	// MarkSent removes a message that was delivered or never will be.
	MarkSent(ctx context.Context, id int64) error
	// Reschedule counts an attempt, and sets the time of the next one, by whoever claims
	// the message then.
	Reschedule(ctx context.Context, id int64, next time.Time) error
}

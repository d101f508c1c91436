package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// Post implements record.Outbox. A message that was delivered leaves its name
// behind, so that a run that is resumed does not send it again.
func (s *Store) Post(ctx context.Context, receiver string, m port.Message) error {
	return s.change(ctx, fmt.Sprintf("keep a message for %s", receiver), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO outbox (receiver, message, title, body, document, attempts, next_at, sent)
			VALUES (?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (receiver, message) DO NOTHING`, receiver, m.ID, m.Title, m.Text, m.JSON)
		return err
	})
}

// Due implements record.Outbox.
func (s *Store) Due(ctx context.Context, now time.Time, n int) ([]record.OutboxMessage, error) {
	out, err := list(ctx, s.read, scanOutgoing, `SELECT id, receiver, message, title, body, document, attempts, next_at FROM outbox
		WHERE sent = 0 AND next_at <= ? ORDER BY id LIMIT ?`, nanos(now), limit(n))
	return out, record.DatabaseError("list the messages to send", s.path, err)
}

func scanOutgoing(row scanner) (record.OutboxMessage, error) {
	var o record.OutboxMessage
	var next int64
	err := row.Scan(&o.ID, &o.Receiver, &o.Message.ID, &o.Message.Title, &o.Message.Text, &o.Message.JSON, &o.Attempts, &next)
	o.Next = moment(next)
	return o, err
}

// MarkSent implements record.Outbox.
func (s *Store) MarkSent(ctx context.Context, id int64) error {
	return s.change(ctx, fmt.Sprintf("strike out message %d", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET sent = 1, title = '', body = '', document = NULL WHERE id = ?", id)
		return err
	})
}

// Reschedule implements record.Outbox.
func (s *Store) Reschedule(ctx context.Context, id int64, next time.Time) error {
	return s.change(ctx, fmt.Sprintf("put off message %d", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE id = ? AND sent = 0", nanos(next), id)
		return err
	})
}

// Record implements port.ApprovalStore.
func (s *Store) Record(ctx context.Context, a port.Approval) error {
	if a.By == "" || a.Subject == "" {
		return fault.New(fault.Invalid, "an approval needs a person and a subject")
	}
	if a.At.IsZero() {
		a.At = s.clock()
	}
	return s.change(ctx, fmt.Sprintf("record the word of %s on run %s", a.By, a.Run), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO approvals (run, subject, person, yes, why, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (run, subject, person) DO NOTHING`, a.Run, a.Subject, a.By, a.Approved, a.Reason, nanos(a.At))
		return err
	})
}

// Approvals implements port.ApprovalStore.
func (s *Store) Approvals(ctx context.Context, run delivery.RunID) ([]port.Approval, error) {
	out, err := list(ctx, s.read, scanApproval, "SELECT run, subject, person, yes, why, at FROM approvals WHERE run = ? ORDER BY id", run)
	return out, record.DatabaseError(fmt.Sprintf("list the words on run %s", run), s.path, err)
}

func scanApproval(row scanner) (port.Approval, error) {
	var a port.Approval
	var at int64
	err := row.Scan(&a.Run, &a.Subject, &a.By, &a.Approved, &a.Reason, &at)
	a.At = moment(at)
	return a, err
}

package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// outbox keeps messages to send.
type outbox struct{ *database }

var _ record.Outbox = outbox{}

// Post implements record.Outbox. A message that was delivered leaves its name
// behind, so that a run that is resumed does not send it again.
func (s outbox) Post(ctx context.Context, receiver string, m port.Message) error {
	return s.change(ctx, fmt.Sprintf("store a message for %s", receiver), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO outbox (project, receiver, message, title, body, document, attempts, next_at, sent)
			VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (project, receiver, message) DO NOTHING`, s.project, receiver, m.ID, m.Title, m.Text, m.JSON)
		return err
	})
}

// Due implements record.Outbox.
func (s outbox) Due(ctx context.Context, now time.Time, n int) ([]record.OutboxMessage, error) {
	out, err := list(ctx, s.read, scanOutgoing, `SELECT id, receiver, message, title, body, document, attempts, next_at, coalesce(json_extract(extra, '$.claimed'), '') FROM outbox
		WHERE project = ? AND sent = 0 AND next_at <= ? ORDER BY id LIMIT ?`, s.project, nanos(now), limit(n))
	return out, record.DatabaseError("list the messages to send", s.path, err)
}

func scanOutgoing(row scanner) (record.OutboxMessage, error) {
	var o record.OutboxMessage
	var next int64
	err := row.Scan(&o.ID, &o.Receiver, &o.Message.ID, &o.Message.Title, &o.Message.Text, &o.Message.JSON, &o.Attempts, &next, &o.Claimed)
	o.Next = moment(next)
	return o, err
}

// Claim implements record.Outbox. Whoever claims a message moves its time: so of two
// that have read it, the second one finds another time than it has seen.
func (s outbox) Claim(ctx context.Context, m record.OutboxMessage, by string, until time.Time) (ok bool, err error) {
	err = s.change(ctx, fmt.Sprintf("claim message %d", m.ID), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE outbox SET next_at = ?, extra = json_set(extra, '$.claimed', ?)
			WHERE project = ? AND id = ? AND sent = 0 AND next_at = ?`, nanos(until), by, s.project, m.ID, nanos(m.Next))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}

// MarkSent implements record.Outbox.
func (s outbox) MarkSent(ctx context.Context, id int64) error {
	return s.change(ctx, fmt.Sprintf("delete message %d", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET sent = 1, title = '', body = '', document = NULL, extra = json_remove(extra, '$.claimed') WHERE project = ? AND id = ?", s.project, id)
		return err
	})
}

// Reschedule implements record.Outbox.
func (s outbox) Reschedule(ctx context.Context, id int64, next time.Time) error {
	return s.change(ctx, fmt.Sprintf("postpone message %d", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET attempts = attempts + 1, next_at = ?, extra = json_remove(extra, '$.claimed') WHERE project = ? AND id = ? AND sent = 0", nanos(next), s.project, id)
		return err
	})
}

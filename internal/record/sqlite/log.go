package sqlite

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// recordLog is the log that a view is of.
type recordLog struct{ *database }

// Log returns the log that the records are in, or nil if they are those of one machine.
func (s *Store) Log() port.RecordLog {
	if s.db.view == nil {
		return nil
	}
	return recordLog{s.db}
}

// Newest implements port.RecordLog. It always looks at the newest state.
func (l recordLog) Newest(ctx context.Context) (port.LogMark, error) {
	m := port.LogMark{Log: l.view.log.Identity.ID}
	if _, err := l.catchUp(ctx); err != nil {
		return m, err
	}
	at, err := readPosition(ctx, l.readers)
	if err != nil {
		return m, record.DatabaseError("read the view of the shared state", l.path, err)
	}
	m.Entry, m.Digest = at.N, at.Digest
	return m, nil
}

// Contains implements port.RecordLog.
func (l recordLog) Contains(ctx context.Context, m port.LogMark) (bool, error) {
	if m.Log != l.view.log.Identity.ID {
		return false, nil
	}
	if m.Entry == 0 {
		return true, nil
	}
	found, err := l.view.log.DigestAt(ctx, m.Entry)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && found == m.Digest, err
}

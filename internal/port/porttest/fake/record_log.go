package fake

import (
	"context"

	"github.com/slipway-cd/slipway/internal/port"
)

// RecordLog is a log with the digests of its entries.
type RecordLog struct {
	ID      string
	Entries []int // Digest(n) is the digest of an entry
}

var _ port.RecordLog = (*RecordLog)(nil)

// NewRecordLog returns a log with these entries.
func NewRecordLog(id string, entries ...int) *RecordLog { return &RecordLog{ID: id, Entries: entries} }

// Mark returns the mark of an entry.
func (l *RecordLog) Mark(n int) port.LogMark {
	if n == 0 {
		return port.LogMark{Log: l.ID}
	}
	return port.LogMark{Log: l.ID, Entry: int64(n), Digest: Digest(l.Entries[n-1])}
}

// Newest returns the mark of the newest entry.
func (l *RecordLog) Newest(context.Context) (port.LogMark, error) {
	return l.Mark(len(l.Entries)), nil
}

// Contains reports whether the log has the entry.
func (l *RecordLog) Contains(_ context.Context, m port.LogMark) (bool, error) {
	return m.Log == l.ID && m.Entry <= int64(len(l.Entries)) && l.Mark(int(m.Entry)) == m, nil
}

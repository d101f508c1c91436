package statelog

import (
	"context"
	"errors"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Replay reads the whole log from where it begins: base is called with the snapshot
// there, if entries were removed, and then each with the entries, as by Read.
func (l *Log) Replay(ctx context.Context, base func(Snapshot) error, each func(Entry, Position) error) (Position, error) {
	point, err := l.PrunePoint(ctx)
	if err != nil {
		return Position{}, err
	}
	if point.After.N > 0 {
		s, err := l.baseOf(ctx, point)
		if err == nil {
			err = base(s)
		}
		if err != nil {
			return Position{}, err
		}
	}
	end, err := l.Read(ctx, point.After, each)
	if errors.Is(err, ErrPruned) {
		return end, fault.New(fault.Conflict, "entries of the shared state were removed while it was read").Hint("try again")
	}
	if err == nil {
		err = l.checkEnd(ctx, end.N)
	}
	return end, err
}

// checkEnd returns fault.Corrupt if there are entries after n, but not the next one.
func (l *Log) checkEnd(ctx context.Context, n int64) error {
	later, err := l.Store.List(ctx, EntryPrefix, entryKey(n), 1)
	if err != nil || len(later) == 0 {
		return err
	}
	if next, ok := numberOf(later[0].Key, EntryPrefix); ok && next == n+1 {
		return nil // added meanwhile
	}
	return l.explainHole(ctx, n+1)
}

// baseOf returns the snapshot at a prune point, if it is the one that was there when the
// entries were removed.
func (l *Log) baseOf(ctx context.Context, point PrunePoint) (Snapshot, error) {
	s, err := l.Snapshot(ctx, point.After.N)
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Corrupt):
		err = damagedBase(point.After.N, "it can't be read").Cause(err)
	case err != nil:
	case s.Stored != point.Snapshot || s.After != point.After:
		err = damagedBase(point.After.N, "it was changed, or replaced")
	}
	return s, err
}

func damagedBase(n int64, why string) *fault.Error {
	return fault.New(fault.Corrupt, "the snapshot after entry %d, with which the shared state begins: %s", n, why).
		Hint("restore the object below snap/ from a backup or an older version")
}

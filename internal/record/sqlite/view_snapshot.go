package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// applySnapshot fills an empty view, and returns up to where.
func (d *database) applySnapshot(ctx context.Context) (at statelog.Position, err error) {
	s, err := d.view.log.NewestSnapshot(ctx, len(migrations()))
	if err != nil || s.After.N == 0 {
		return at, err
	}
	err = d.applying(ctx, func(tx *sql.Tx) error {
		if at, err = readPosition(ctx, tx); err != nil || at.N != 0 {
			return err // another process was faster
		}
		at = s.After
		return d.view.fill(ctx, tx, s)
	})
	return at, err
}

// restart fills a view again, from the newest snapshot: the entries that follow its
// position were removed. It returns where the view is then.
func (d *database) restart(ctx context.Context, behind statelog.Position) (at statelog.Position, err error) {
	s, err := d.view.log.NewestSnapshot(ctx, len(migrations()))
	if err != nil {
		return at, err
	}
	if s.After.N <= behind.N {
		return at, fault.New(fault.Corrupt, "the entries after %d were removed, and no snapshot of what they came to can be read", behind.N).
			Hint("update slipway on this machine; else check it with `slipway state verify`")
	}
	err = d.applying(ctx, func(tx *sql.Tx) error {
		if at, err = readPosition(ctx, tx); err != nil || at.N >= s.After.N {
			return err // another process was faster
		}
		at = s.After
		return d.view.fill(ctx, tx, s)
	})
	return at, err
}

// fill replaces all rows by those of the snapshot.
func (v *view) fill(ctx context.Context, tx *sql.Tx, s statelog.Snapshot) error {
	rows, err := snapshotRows(ctx, s)
	if err != nil {
		return fmt.Errorf("apply the snapshot after entry %d of the shared state: %w", s.After.N, err)
	}
	for _, name := range append(slices.Sorted(maps.Keys(v.tables)), sequences) {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+quote(name)); err != nil { //nolint:gosec // a name of our own tables, quoted
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	if err := v.applyRows(ctx, tx, rows); err != nil {
		return fmt.Errorf("apply the snapshot after entry %d of the shared state: %w", s.After.N, err)
	}
	return writePosition(ctx, tx, s.After)
}

// snapshotAfter stores a snapshot if one is due: more seldom for a large view, which
// takes longer to pack than some more entries take to read. That it could not be stored
// is no failure of the change: another machine will do it.
func (d *database) snapshotAfter(ctx context.Context, at statelog.Position) error {
	info, err := os.Stat(d.path)
	if err != nil {
		return denied(d.path, err)
	}
	interval := statelog.SnapshotInterval * min(1+info.Size()/sizePerInterval, maxIntervals)
	if at.N%interval != 0 {
		return nil
	}
	return d.saveSnapshot(ctx)
}

const (
	sizePerInterval = 8 << 20
	maxIntervals    = 4
)

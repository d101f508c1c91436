package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
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
			Hint("update slipway on this machine; if that is no help, `slipway state verify` finds what is damaged")
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
	for _, name := range append(slices.Sorted(maps.Keys(v.tables)), sequences) {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+quote(name)); err != nil {
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	rows, err := parseRows(s.Schema, s.Rows)
	if err == nil {
		err = v.applyRows(ctx, tx, rows)
	}
	if err != nil {
		return fmt.Errorf("apply the snapshot after entry %d of the shared state: %w", s.After.N, err)
	}
	return writePosition(ctx, tx, s.After)
}

// snapshotAfter stores a snapshot if one is due. That it could not be stored is no
// failure of the change: another machine will do it.
func (d *database) snapshotAfter(ctx context.Context, at statelog.Position) error {
	if at.N%statelog.SnapshotInterval != 0 {
		return nil
	}
	s, err := d.snapshot(ctx)
	if err == nil {
		_ = d.view.log.SaveSnapshot(ctx, s)
	}
	return err
}

// snapshot returns all rows of the view.
func (d *database) snapshot(ctx context.Context) (s statelog.Snapshot, err error) {
	tx, err := d.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s, record.DatabaseError("take a snapshot of the shared state", d.path, err)
	}
	defer tx.Rollback() //nolint:errcheck // it only reads
	s.Schema = len(migrations())
	if s.After, err = readPosition(ctx, tx); err != nil {
		return s, record.DatabaseError("take a snapshot of the shared state", d.path, err)
	}
	all, err := d.view.allRows(ctx, tx)
	if err == nil {
		s.Rows, err = encodeRows(all)
	}
	return s, record.DatabaseError("take a snapshot of the shared state", d.path, err)
}

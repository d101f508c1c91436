package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

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

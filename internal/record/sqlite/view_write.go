package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// changeShared is change for a view.
func (d *database) changeShared(ctx context.Context, action string, do func(*sql.Tx) error) error {
	for {
		at, rows, err := d.rehearse(ctx, action, do)
		if err != nil || len(rows) == 0 {
			// That may be because the view is old.
			advanced, behind := d.catchUp(ctx)
			if behind != nil {
				return errors.Join(fmt.Errorf("%s: %w", action, behind), err)
			}
			if advanced {
				continue
			}
			return err
		}
		added, err := d.publish(ctx, at, rows)
		if err == nil {
			return d.snapshotAfter(ctx, added)
		}
		if !errors.Is(err, statelog.ErrTaken) {
			return fmt.Errorf("%s: %w", action, err)
		}
		if _, err := d.catchUp(ctx); err != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
	}
}

// publish adds the rows to the log after the position, and applies them here.
func (d *database) publish(ctx context.Context, at statelog.Position, rows []row) (statelog.Position, error) {
	document, err := encodeRows(rows)
	if err != nil {
		return at, err
	}
	e := statelog.Entry{Schema: len(migrations()), At: d.clock(), Rows: document}
	asked := time.Now()
	added, err := d.view.log.Append(ctx, at, e)
	if err != nil {
		return at, err
	}
	// It counts from here on. If it can't be applied now, the next catch-up does it.
	e.N, e.Prev = added.N, at.Digest
	if err := d.applyEntries(context.WithoutCancel(ctx), []located{{e, added}}); err != nil {
		return added, err
	}
	d.view.note(asked) // that it could be added shows that there was nothing else
	return added, nil
}

// rehearse runs do on the view and rolls it back. It returns the rows that it
// changed, and the position of the view that it saw.
func (d *database) rehearse(ctx context.Context, action string, do func(*sql.Tx) error) (at statelog.Position, rows []row, err error) {
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return at, nil, record.DatabaseError(action, d.path, err)
	}
	defer conn.Close() //nolint:errcheck // it goes back to the pool
	changed := newRecorder(d.view.tables)
	stop, err := changed.watch(conn)
	if err != nil {
		return at, nil, record.DatabaseError(action, d.path, err)
	}
	defer stop()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return at, nil, record.DatabaseError(action, d.path, err)
	}
	if at, err = readPosition(ctx, tx); err == nil {
		err = d.checkOwner(ctx, tx)
	}
	if err == nil {
		err = do(tx)
	}
	if err == nil {
		rows, err = changed.rows(ctx, tx)
	}
	return at, rows, errors.Join(record.DatabaseError(action, d.path, err), undone(tx))
}

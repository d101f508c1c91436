package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// owners keeps who works on a run.
type owners struct{ *database }

var _ record.Owners = owners{}

// Owners returns who works on the runs, or nil if the records are those of one machine:
// there a lock on a file decides.
func (s *Store) Owners() record.Owners {
	if s.db.view == nil {
		return nil
	}
	return owners{s.db}
}

// Owner implements record.Owners. It always looks at the newest state.
func (s owners) Owner(ctx context.Context, run delivery.RunID) (record.Ownership, error) {
	if _, err := s.catchUp(ctx); err != nil {
		return record.Ownership{}, err
	}
	o, err := s.find(ctx, s.readers, run)
	return o, record.DatabaseError(fmt.Sprintf("look up the owner of run %s", run), s.path, err)
}

func (s owners) find(ctx context.Context, from asker, run delivery.RunID) (record.Ownership, error) {
	o := record.Ownership{Run: run}
	var since int64
	err := first(ctx, from, "SELECT epoch, holder, machine, coalesce(json_extract(extra, '$.since'), 0) FROM owners WHERE project = ? AND run = ?", s.project, run).
		Scan(&o.Epoch, &o.Holder, &o.Machine, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return o, nil
	}
	o.Since = moment(since)
	return o, err
}

// Claim implements record.Owners.
func (s owners) Claim(ctx context.Context, o record.Ownership) (record.Ownership, error) {
	since := nanos(s.clock())
	err := s.change(ctx, fmt.Sprintf("claim run %s", o.Run), func(tx *sql.Tx) error {
		now, err := s.find(ctx, tx, o.Run)
		if err != nil {
			return err
		}
		if now.Epoch != o.Epoch {
			return takenOver(now)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO owners (project, run, epoch, holder, machine, extra) VALUES (?, ?, ?, ?, ?, json_object('since', ?))
			ON CONFLICT (project, run) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder, machine = excluded.machine,
				extra = json_set(extra, '$.since', json_extract(excluded.extra, '$.since'))`,
			s.project, o.Run, o.Epoch+1, o.Holder, o.Machine, since)
		return err
	})
	o.Epoch, o.Since = o.Epoch+1, moment(since)
	return o, err
}

func takenOver(by record.Ownership) error {
	return fault.New(fault.Conflict, "run %s was taken over by %s", by.Run, by.Holder).
		Hint("this process leaves the run alone; follow it with `slipway status`")
}

// Beat implements record.Owners.
func (s owners) Beat(ctx context.Context, run delivery.RunID, epoch int64) error {
	return s.view.log.Beat(ctx, run, epoch)
}

// SinceBeat implements record.Owners.
func (s owners) SinceBeat(ctx context.Context, run delivery.RunID, epoch int64) (time.Duration, bool, error) {
	return s.view.log.SinceBeat(ctx, run, epoch)
}

// Release implements record.Owners.
func (s owners) Release(ctx context.Context, run delivery.RunID, epoch int64) error {
	return s.view.log.RemoveBeat(ctx, run, epoch)
}

// checkOwner refuses a change in the name of a claim that is not the newest one.
func (d *database) checkOwner(ctx context.Context, tx *sql.Tx) error {
	mine, ok := record.OwnerFrom(ctx)
	if !ok {
		return nil
	}
	now, err := owners{d}.find(ctx, tx, mine.Run)
	if err == nil && now.Epoch != mine.Epoch {
		return takenOver(now)
	}
	return err
}

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

const selectReleases = `SELECT r.id, r.digest, r.canonical, r.created_at, r.run, q.environment, q.reason, q.since, q.run
	FROM releases r LEFT JOIN quarantine q ON q.release = r.id AND q.let_go_at IS NULL`

// releases keeps release records.
type releases struct{ *database }

var _ port.ReleaseStore = releases{}

// Save implements port.ReleaseStore.
func (s releases) Save(ctx context.Context, run delivery.RunID, r delivery.Release) (out delivery.ReleaseRecord, err error) {
	canonical, digest, id, err := record.Canonical(r)
	if err != nil {
		return out, err
	}
	err = s.change(ctx, fmt.Sprintf("save release %s", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO releases (id, seq, digest, canonical, run, created_at)
			VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM releases), ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			id, digest, string(canonical), run, nanos(s.clock()))
		if err != nil {
			return err
		}
		if out, err = findRelease(ctx, tx, id); err != nil {
			return err
		}
		if out.Digest != digest {
			return fault.New(fault.Conflict, "save release %s: another release has the same short name (%s and %s)", id, out.Digest, digest)
		}
		return nil
	})
	return out, err
}

// Get implements port.ReleaseStore.
func (s releases) Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	r, err := findRelease(ctx, s.read, id)
	return r, record.DatabaseError(fmt.Sprintf("look up release %s", id), s.path, err)
}

func findRelease(ctx context.Context, from asker, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	r, err := scanRelease(from.QueryRowContext(ctx, selectReleases+" WHERE r.id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "release %s not found", id).Hint("`slipway releases` lists them")
	}
	return r, err
}

// List implements port.ReleaseStore.
func (s releases) List(ctx context.Context, n int) ([]delivery.ReleaseRecord, error) {
	out, err := list(ctx, s.read, scanRelease, selectReleases+" ORDER BY r.seq DESC LIMIT ?", limit(n))
	return out, record.DatabaseError("list the releases", s.path, err)
}

// scanRelease believes a record only if its content has its digest and name.
func scanRelease(row scanner) (delivery.ReleaseRecord, error) {
	var r delivery.ReleaseRecord
	var canonical string
	var created int64
	var env, reason, run sql.NullString
	var since sql.NullInt64
	err := row.Scan(&r.ID, &r.Digest, &canonical, &created, &r.Run, &env, &reason, &since, &run)
	if err != nil {
		return r, err
	}
	digest, id := record.Identify([]byte(canonical))
	if digest != r.Digest || id != r.ID {
		return r, fault.New(fault.Corrupt, "the record of release %s was changed: its content is %s", r.ID, digest).
			Hint("restore the records from a backup; don't deploy this release")
	}
	if err := json.Unmarshal([]byte(canonical), &r.Release); err != nil {
		return r, fault.New(fault.Corrupt, "read the record of release %s", r.ID).
			Hint("restore the records from a backup").Cause(err)
	}
	r.CreatedAt = moment(created)
	if since.Valid {
		r.Quarantined = &delivery.Quarantine{
			Release: r.ID, Environment: delivery.Environment(env.String), Reason: reason.String,
			Since: moment(since.Int64), Run: delivery.RunID(run.String),
		}
	}
	return r, nil
}

// Quarantine implements port.ReleaseStore.
func (s releases) Quarantine(ctx context.Context, q delivery.Quarantine) error {
	if q.Since.IsZero() {
		q.Since = s.clock()
	}
	return s.change(ctx, fmt.Sprintf("quarantine release %s", q.Release), func(tx *sql.Tx) error {
		if _, err := findRelease(ctx, tx, q.Release); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO quarantine (release, environment, reason, since, run) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, q.Release, q.Environment, q.Reason, nanos(q.Since), q.Run)
		return err
	})
}

// Unquarantine implements port.ReleaseStore.
func (s releases) Unquarantine(ctx context.Context, id delivery.ReleaseID, by, why string) error {
	return s.change(ctx, fmt.Sprintf("unquarantine release %s", id), func(tx *sql.Tx) error {
		if _, err := findRelease(ctx, tx, id); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE quarantine SET let_go_by = ?, let_go_why = ?, let_go_at = ?
			WHERE release = ? AND let_go_at IS NULL`, by, why, nanos(s.clock()), id)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error {
			return fault.New(fault.Conflict, "release %s is not quarantined", id)
		})
	})
}

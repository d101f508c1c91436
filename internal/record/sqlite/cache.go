package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// cache keeps step results.
type cache struct{ *database }

var _ record.Cache = cache{}

// Put implements record.Cache.
func (s cache) Put(ctx context.Context, key delivery.Digest, run delivery.RunID, r step.Result) error {
	if !key.Valid() {
		return fault.New(fault.Invalid, "invalid key %q of a cached result", key)
	}
	if r.Outcome != delivery.OutcomeSucceeded {
		return fault.New(fault.Invalid, "cache a step's result: its outcome is %s, not succeeded", r.Outcome)
	}
	document, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a step's result: %w", err)
	}
	return s.change(ctx, "cache a step's result", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO cache (project, key, run, result, used_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (project, key) DO UPDATE SET run = excluded.run, result = excluded.result, used_at = excluded.used_at`,
			s.project, key, run, string(document), nanos(s.clock()))
		return err
	})
}

// Lookup implements record.Cache.
func (s cache) Lookup(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error) {
	var document string
	if s.view != nil {
		document, err = s.lookupShared(ctx, key)
	} else {
		err = s.change(ctx, "look up a cached result", func(tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, touchResult, nanos(s.clock()), s.project, key).Scan(&document)
		})
	}
	return foundResult(document, err)
}

// Peek implements record.Cache.
func (s cache) Peek(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error) {
	var document string
	err = first(ctx, s.read, "SELECT result FROM cache WHERE project = ? AND key = ?", s.project, key).Scan(&document)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		err = record.DatabaseError("look up a cached result", s.path, err)
	}
	return foundResult(document, err)
}

// foundResult is what a query for a result found.
func foundResult(document string, err error) (r step.Result, ok bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	r, err = readResult(document)
	return r, err == nil, err
}

const touchResult = "UPDATE cache SET used_at = ? WHERE project = ? AND key = ? RETURNING result"

// shareUseAge is how old the last use that this machine has seen must be, for a use to be
// shared: results that are used are not pruned, as long as that is after some weeks.
const shareUseAge = 7 * 24 * time.Hour

// lookupShared notes the use on this machine only, most of the time: an entry of the log
// for every use would cost more than the cache saves.
func (s cache) lookupShared(ctx context.Context, key delivery.Digest) (document string, err error) {
	if err := s.refresh(ctx); err != nil {
		return "", err
	}
	var used int64
	err = first(ctx, s.read, "SELECT used_at FROM cache WHERE project = ? AND key = ?", s.project, key).Scan(&used)
	if err != nil {
		return "", err
	}
	now := s.clock()
	touch := func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, touchResult, nanos(now), s.project, key).Scan(&document)
	}
	if nanos(now)-used >= int64(shareUseAge) {
		err = s.change(ctx, "note the use of a cached result", touch)
	} else {
		err = s.applying(ctx, touch)
	}
	return document, err
}

// Prune implements record.Cache.
func (s cache) Prune(ctx context.Context, since time.Time) (n int, err error) {
	err = s.change(ctx, "delete old cached results", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM cache WHERE project = ? AND used_at < ?", s.project, nanos(since))
		if err != nil {
			return err
		}
		gone, err := done.RowsAffected()
		n = int(gone)
		return err
	})
	return n, err
}

// CountUnused implements record.Cache.
func (s cache) CountUnused(ctx context.Context, since time.Time) (n int, err error) {
	err = first(ctx, s.read, "SELECT count(*) FROM cache WHERE project = ? AND used_at < ?", s.project, nanos(since)).Scan(&n)
	return n, record.DatabaseError("count old cached results", s.path, err)
}

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
		return fault.New(fault.Invalid, "%q is not the key of a result", key)
	}
	if r.Outcome != delivery.OutcomeSucceeded {
		return fault.New(fault.Invalid, "keep a result for later: it %s", r.Outcome)
	}
	document, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write a result: %w", err)
	}
	return s.change(ctx, "keep a result for later", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO cache (key, run, result, used_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET run = excluded.run, result = excluded.result, used_at = excluded.used_at`,
			key, run, string(document), nanos(s.clock()))
		return err
	})
}

// Lookup implements record.Cache.
func (s cache) Lookup(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error) {
	var document string
	err = s.change(ctx, "recall a result", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "UPDATE cache SET used_at = ? WHERE key = ? RETURNING result", nanos(s.clock()), key).Scan(&document)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	r, err = readResult(document)
	return r, err == nil, err
}

// Prune implements record.Cache.
func (s cache) Prune(ctx context.Context, since time.Time) (n int, err error) {
	err = s.change(ctx, "forget old results", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM cache WHERE used_at < ?", nanos(since))
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
	err = s.change(ctx, "count old results", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM cache WHERE used_at < ?", nanos(since)).Scan(&n)
	})
	return n, err
}

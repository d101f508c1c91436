package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"time"
)

// asker is what can be asked: a pool, a transaction or a view.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// scanner is a row.
type scanner interface{ Scan(into ...any) error }

// first reads the first row of a query; Scan returns sql.ErrNoRows without one.
func first(ctx context.Context, from asker, query string, args ...any) scanner {
	rows, err := from.QueryContext(ctx, query, args...)
	return firstRow{rows, err}
}

type firstRow struct {
	rows *sql.Rows
	err  error
}

func (f firstRow) Scan(into ...any) error {
	if f.err != nil {
		return f.err
	}
	defer f.rows.Close()
	if !f.rows.Next() {
		return cmp.Or(f.rows.Err(), sql.ErrNoRows)
	}
	return f.rows.Scan(into...)
}

// list reads all rows of a query.
func list[T any](ctx context.Context, from asker, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// limit is a LIMIT for SQL: SQLite takes a negative one for all.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// nanos is a time for the database; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is a time from the database.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

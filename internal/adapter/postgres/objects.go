// Package postgres keeps objects in a table of a PostgreSQL database.
package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// partSize is how many bytes of an object one row holds.
const partSize = 4 << 20

// maxConnections is more than what is read and written at once: a large object holds one
// while it is read.
const maxConnections = 24

// schema makes the table, which several projects can share: each has its scope.
const schema = `CREATE TABLE IF NOT EXISTS slipway_objects (
	scope text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, part int NOT NULL,
	size bigint NOT NULL, modified timestamptz NOT NULL DEFAULT clock_timestamp(), content bytea NOT NULL,
	PRIMARY KEY (scope, key, part)
)`

// Store keeps objects in the table slipway_objects.
type Store struct {
	db    *sql.DB
	scope string
	name  string // for messages, without credentials
}

var _ port.ObjectStore = (*Store)(nil)

// Open opens the database that the URL names, such as postgres://host/db?scope=retail,
// and makes the table if it is missing. What is not in the URL comes from the variables
// that psql reads (PGPASSWORD, PGSSLMODE...). The scope, "default" unless given, tells
// the objects of several users of a database apart.
func Open(ctx context.Context, u *url.URL) (*Store, error) {
	at := *u
	query := at.Query()
	scope := query.Get("scope")
	query.Del("scope")
	at.RawQuery = query.Encode()
	if scope == "" {
		scope = "default"
	}
	name := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	s := &Store{scope: scope, name: name.String()}
	var err error
	if s.db, err = sql.Open("pgx", at.String()); err != nil {
		return nil, fault.New(fault.Invalid, "open %s", s.name).Hint("check the URL") // its own text holds the password
	}
	s.db.SetMaxOpenConns(maxConnections)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(s.explain(ctx, "prepare the table", "slipway_objects", err), s.db.Close())
	}
	return s, nil
}

// prepare makes the table if it is missing. It looks first: whoever may use the table may
// not make one.
func (s *Store) prepare(ctx context.Context) error {
	var found bool
	if err := s.db.QueryRowContext(ctx, "SELECT to_regclass('slipway_objects') IS NOT NULL").Scan(&found); err != nil || found {
		return err
	}
	_, err := s.db.ExecContext(ctx, schema)
	if err != nil { // two sessions that make the table at once may both see it missing
		_, err = s.db.ExecContext(ctx, schema)
	}
	return err
}

// Close closes the connections.
func (s *Store) Close() error { return s.db.Close() }

// Create implements port.ObjectStore.
func (s *Store) Create(ctx context.Context, key string, content []byte) error {
	done, err := s.db.ExecContext(ctx, `INSERT INTO slipway_objects (scope, key, part, size, content) VALUES ($1, $2, 0, $3, $4)
		ON CONFLICT DO NOTHING`, s.scope, key, len(content), append([]byte{}, content...)) // never NULL
	if err != nil {
		return s.explain(ctx, "create", key, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return s.explain(ctx, "create", key, err)
	}
	return port.ErrExists
}

// Put implements port.ObjectStore.
func (s *Store) Put(ctx context.Context, key string, content io.Reader) error {
	return s.explain(ctx, "store", key, s.put(ctx, key, content))
}

func (s *Store) put(ctx context.Context, key string, content io.Reader) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // a no-op once committed
	// Writers of one key wait for each other: rows that another one has not committed
	// yet can't be deleted.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", s.scope+"\x1f"+key); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM slipway_objects WHERE scope = $1 AND key = $2", s.scope, key); err != nil {
		return err
	}
	size, buffer := int64(0), make([]byte, partSize)
	for part := 0; ; part++ {
		n, err := io.ReadFull(content, buffer)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return err
		}
		if n > 0 || part == 0 {
			_, err := tx.ExecContext(ctx, "INSERT INTO slipway_objects (scope, key, part, size, content) VALUES ($1, $2, $3, 0, $4)", s.scope, key, part, buffer[:n])
			if err != nil {
				return err
			}
		}
		size += int64(n)
		if ended {
			break
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE slipway_objects SET size = $3 WHERE scope = $1 AND key = $2 AND part = 0", s.scope, key, size); err != nil {
		return err
	}
	return tx.Commit()
}

// Open implements port.ObjectStore.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, port.Object, error) {
	o, first, err := s.openFirst(ctx, s.db, key)
	if err != nil {
		return nil, o, s.explain(ctx, "open", key, err)
	}
	if int64(len(first)) == o.Size {
		return io.NopCloser(bytes.NewReader(first)), o, nil
	}
	// The parts are read one after another: in a transaction they stay those of one
	// content, whoever replaces it meanwhile.
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, o, s.explain(ctx, "open", key, err)
	}
	if o, first, err = s.openFirst(ctx, tx, key); err != nil {
		return nil, o, errors.Join(s.explain(ctx, "open", key, err), tx.Rollback())
	}
	return &reader{ctx: ctx, tx: tx, store: s, object: o, rest: first, next: 1}, o, nil
}

// openFirst returns the object and its first part.
func (s *Store) openFirst(ctx context.Context, from asker, key string) (o port.Object, first []byte, err error) {
	o.Key = key
	err = from.QueryRowContext(ctx, "SELECT size, modified, content FROM slipway_objects WHERE scope = $1 AND key = $2 AND part = 0", s.scope, key).
		Scan(&o.Size, &o.ModTime, &first)
	return o, first, err
}

// asker is the database, or a transaction.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader reads an object part by part.
type reader struct {
	ctx    context.Context
	tx     *sql.Tx
	store  *Store
	object port.Object
	rest   []byte
	next   int   // part
	read   int64 // bytes
}

func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.read == r.object.Size {
			return 0, io.EOF
		}
		err := r.tx.QueryRowContext(r.ctx, "SELECT content FROM slipway_objects WHERE scope = $1 AND key = $2 AND part = $3", r.store.scope, r.object.Key, r.next).
			Scan(&r.rest)
		if err != nil {
			return 0, r.store.explain(r.ctx, "read", r.object.Key, err)
		}
		r.next++
	}
	n := copy(p, r.rest)
	r.rest, r.read = r.rest[n:], r.read+int64(n)
	return n, nil
}

func (r *reader) Close() error {
	if err := r.tx.Rollback(); !errors.Is(err, sql.ErrTxDone) && r.ctx.Err() == nil {
		return err
	}
	return nil
}

// List implements port.ObjectStore.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT key, size, modified FROM slipway_objects
		WHERE scope = $1 AND part = 0 AND key > $2 AND key >= $3 AND starts_with(key, $3) ORDER BY key LIMIT $4`, s.scope, after, prefix, limit)
	if err != nil {
		return nil, s.explain(ctx, "list", prefix, err)
	}
	defer rows.Close()
	var found []port.Object
	for rows.Next() {
		var o port.Object
		if err := rows.Scan(&o.Key, &o.Size, &o.ModTime); err != nil {
			return nil, s.explain(ctx, "list", prefix, err)
		}
		found = append(found, o)
	}
	return found, s.explain(ctx, "list", prefix, rows.Err())
}

// Delete implements port.ObjectStore.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM slipway_objects WHERE scope = $1 AND key = $2", s.scope, key)
	return s.explain(ctx, "delete", key, err)
}

// explain returns the error with what could not be done, and where; after the context
// has ended, the context's cause is that of the error.
func (s *Store) explain(ctx context.Context, action, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s in %s: %w", action, key, s.name, context.Cause(ctx))
	case errors.Is(err, sql.ErrNoRows):
		return fault.New(fault.NotFound, "%s %s in %s", action, key, s.name)
	}
	kind := fault.Unavailable
	if isDenied(err) {
		kind = fault.Denied
	}
	return fault.New(kind, "%s %s in %s", action, key, s.name).Cause(err)
}

// isDenied reports whether the server refused the credentials (class 28), or a right
// is missing (42501).
func isDenied(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && (strings.HasPrefix(state.SQLState(), "28") || state.SQLState() == "42501")
}

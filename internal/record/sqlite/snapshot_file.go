package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// A snapshot is a view's file: a machine without one begins with it as it is, which is
// ten times as fast as inserting its rows.

// saveSnapshot stores a copy of the view.
func (d *database) saveSnapshot(ctx context.Context) error {
	dir, err := os.MkdirTemp(filepath.Dir(d.path), snapshotFolder)
	if err != nil {
		return denied(d.path, err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "copy.db")
	if err := d.copyTo(ctx, path); err != nil {
		return record.DatabaseError("take a snapshot of the shared state", d.path, err)
	}
	s, err := describe(ctx, path)
	if err != nil {
		return record.DatabaseError("take a snapshot of the shared state", d.path, err)
	}
	content, err := os.Open(path)
	if err != nil {
		return denied(path, err)
	}
	defer content.Close()
	_ = d.view.log.SaveSnapshot(ctx, s, content) // see snapshotAfter
	return nil
}

// copyTo copies the view by a connection of its own: readers may not write at all, and
// the writer has other work.
func (d *database) copyTo(ctx context.Context, path string) error {
	db, err := connectWith(d.path, 1, "")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA synchronous = OFF; VACUUM INTO ?", path)
	return errors.Join(err, db.Close())
}

const snapshotFolder = ".snapshot-"

// describe returns what a file is a snapshot of.
func describe(ctx context.Context, path string) (s statelog.Snapshot, err error) {
	db, err := openCopy(path)
	if err != nil {
		return s, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	if s.After, err = readPosition(ctx, db); err != nil {
		return s, err
	}
	return s, db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&s.Schema)
}

// openCopy opens a file that is not written any more.
func openCopy(path string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=ro&immutable=1"}
	return sql.Open("sqlite", name.String())
}

// begin makes the file of a view from the newest snapshot, if the machine has none. A
// snapshot that can't be used as it is leaves this to the rows.
func begin(ctx context.Context, path string, log *statelog.Log) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := log.NewestSnapshot(ctx, len(migrations()))
	if err != nil || s.After.N == 0 || s.Schema != len(migrations()) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return denied(path, err)
	}
	return withFile(ctx, filepath.Dir(path), s, func(copied string) error {
		if err := os.Link(copied, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return denied(path, err)
		}
		return nil
	})
}

// withFile calls use with the file that a snapshot holds, if it is one. The file is
// removed after that.
func withFile(ctx context.Context, in string, s statelog.Snapshot, use func(path string) error) error {
	dir, err := os.MkdirTemp(in, snapshotFolder)
	if err != nil {
		return denied(in, err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "copy.db")
	if err := unpack(s, path); err != nil {
		return err
	}
	if err := inspect(ctx, path, s); err != nil {
		return fault.New(fault.Corrupt, "read the snapshot after entry %d of the shared state", s.After.N).Cause(err)
	}
	return use(path)
}

func unpack(s statelog.Snapshot, path string) error {
	content, err := s.Content()
	if err != nil {
		return err
	}
	defer content.Close()
	f, err := os.Create(path)
	if err != nil {
		return denied(path, err)
	}
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil {
		return fault.New(fault.Corrupt, "unpack the snapshot after entry %d of the shared state", s.After.N).Cause(err)
	}
	return f.Close()
}

// inspect returns an error unless the file holds records, as the snapshot says, and
// nothing that acts by itself.
func inspect(ctx context.Context, path string, s statelog.Snapshot) error {
	if ours, err := recognise(path); err != nil || !ours {
		return errors.Join(errors.New("it does not hold Slipway's records"), err)
	}
	is, err := describe(ctx, path)
	if err != nil {
		return err
	}
	if is.After != s.After || is.Schema != s.Schema {
		return fmt.Errorf("it holds the records of version %d after entry %d", is.Schema, is.After.N)
	}
	db, err := openCopy(path)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it was only read
	var acting int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')").Scan(&acting)
	if err == nil && acting > 0 {
		err = errors.New("it has triggers or views")
	}
	return err
}

// snapshotRows returns the rows of a snapshot, those of an older version led to the
// present one.
func snapshotRows(ctx context.Context, s statelog.Snapshot) (rows []row, err error) {
	err = withFile(ctx, os.TempDir(), s, func(path string) error {
		db, err := openCopy(path)
		if err != nil {
			return err
		}
		defer db.Close() //nolint:errcheck // it was only read
		tables, err := loggedTables(ctx, db)
		if err != nil {
			return err
		}
		rows, err = (&view{tables: tables}).allRows(ctx, db)
		return err
	})
	if err != nil {
		return nil, err
	}
	return liftRows(s.Schema, rows)
}

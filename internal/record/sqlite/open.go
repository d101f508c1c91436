// Package sqlite keeps the records in one SQLite file. Many processes may have
// it open: every change is one transaction that takes the write lock before it
// reads, and is on the disk when the call returns.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// Store is the records in one file. Each method returns one kind of them; all of
// them are safe for concurrent use until Close.
type Store struct {
	db *database
}

// database is the file, shared by all that is kept in it.
type database struct {
	path    string
	project delivery.Project
	clock   func() time.Time
	write   *sql.DB // one connection: writers of this process queue here, without polling
	readers *sql.DB
	read    asker // readers, of a view after it was brought up to date
	view    *view // nil: the file is the truth
	full    bool  // the disk was: nothing can be changed
	machine machine
}

var _ record.Store = (*Store)(nil)

// Open opens a project's records in the file at path, or starts new ones if there is
// no file. A file that is damaged, empty or another program's is fault.Corrupt, one
// of a newer Slipway is fault.Conflict; neither is touched. The rows of a file of
// version 1, which knew one project only, become the given project's. A nil clock is
// time.Now.
func Open(ctx context.Context, path string, project delivery.Project, clock func() time.Time) (*Store, error) {
	if clock == nil {
		clock = time.Now
	}
	if project == "" {
		return nil, fault.New(fault.Invalid, "open the records in %s: no project is given", path)
	}
	if err := ensure(ctx, path, project); err != nil {
		return nil, err
	}
	db := &database{path: path, project: project, clock: clock}
	var err error
	if db.write, err = connect(path, 1, "_txlock=immediate"); err != nil {
		return nil, err
	}
	if db.readers, err = connect(path, 4, "_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, db.write.Close())
	}
	db.read = db.readers
	if err := migrate(ctx, db.write, path, project, migrations()); err != nil {
		return reopenFull(ctx, path, project, db, err)
	}
	return &Store{db: db}, nil
}

// Runs returns the runs, their queue and their steps.
func (s *Store) Runs() record.Runs { return runs{s.db} }

// Cache returns the cached step results.
func (s *Store) Cache() record.Cache { return cache{s.db} }

// Outbox returns the messages to send.
func (s *Store) Outbox() record.Outbox { return outbox{s.db} }

// Models returns the model registry, which is also a port.ModelImporter.
func (s *Store) Models() port.ModelRegistry { return models{s.db} }

// Releases returns the release records.
func (s *Store) Releases() port.ReleaseStore { return releases{s.db} }

// Deployments returns the history of the environments.
func (s *Store) Deployments() port.DeploymentStore { return deployments{s.db} }

// Approvals returns the decisions on waiting runs.
func (s *Store) Approvals() port.ApprovalStore { return approvals{s.db} }

// Copy writes the records as they are now to a new file.
func (s *Store) Copy(ctx context.Context, path string) error {
	return s.db.copyRecords(ctx, path)
}

func (d *database) copyRecords(ctx context.Context, path string) error {
	_, err := d.write.ExecContext(ctx, "VACUUM INTO ?", path)
	return record.DatabaseError("copy the records to "+path, d.path, err)
}

// Close closes the file.
func (s *Store) Close() error { return s.db.close() }

func (d *database) close() error {
	err := errors.Join(d.readers.Close(), d.write.Close())
	if d.view != nil {
		err = errors.Join(err, d.view.apply.Close())
	}
	return err
}

// connect opens a pool. Every connection waits for other processes' writes, and
// makes its own durable before they count.
func connect(path string, most int, more string) (*sql.DB, error) {
	return connectWith(path, most, "_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&"+more)
}

func connectWith(path string, most int, more string) (*sql.DB, error) {
	const pragmas = "_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)"
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: pragmas + "&" + more}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, record.DatabaseError("open the records", path, err)
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// ensure makes a new database if there is none. It is filled beside its place
// and linked there whole: an empty file is therefore always a damaged one.
func ensure(ctx context.Context, path string, project delivery.Project) error {
	switch ours, err := recognise(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return denied(path, err)
	case !ours:
		return record.CorruptDatabase(path).Cause(errors.New("its first bytes are not those of Slipway's records"))
	default:
		return nil
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		return record.CorruptDatabase(path).Cause(errors.New("the file is gone, but its -wal is there"))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return denied(path, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".new-records-")
	if err != nil {
		return denied(path, err)
	}
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "new.db")
	db, err := connect(fresh, 1, "_txlock=immediate")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	err = errors.Join(record.DatabaseError("start the records", path, err), migrate(ctx, db, fresh, project, migrations()), db.Close())
	if err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o600); err != nil { // files beside it get the same
		return denied(path, err)
	}
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return denied(path, err)
	}
	return nil
}

// recognise looks at the file's header without SQLite, which would begin to
// change what it takes for an empty database.
func recognise(path string) (ours bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var header [100]byte
	if _, err := io.ReadFull(f, header[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return string(header[:16]) == "SQLite format 3\x00" && binary.BigEndian.Uint32(header[68:]) == applicationID, nil
}

func denied(path string, err error) error {
	kind, hint := fault.Unavailable, "look at the folder's disk"
	if errors.Is(err, fs.ErrPermission) {
		kind, hint = fault.Denied, "make the folder writable for you, or set SLIPWAY_HOME to one that is"
	}
	return fault.New(kind, "open the records in %s", path).Hint("%s", hint).Cause(err)
}

// migrate brings the schema to the newest version in all, one transaction per version.
func migrate(ctx context.Context, db *sql.DB, path string, project delivery.Project, all [][]migration) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return record.DatabaseError("open the records", path, err)
	}
	if version > len(all) {
		return fault.New(fault.Conflict, "%s was written by a newer Slipway (records version %d, this one knows %d)", path, version, len(all)).
			Hint("update slipway on this machine")
	}
	for ; version < len(all); version++ {
		if err := advance(ctx, db, version, project, all[version]); err != nil {
			return record.DatabaseError(fmt.Sprintf("bring the records to version %d", version+1), path, err)
		}
	}
	return nil
}

// advance leads from one version to the next, unless another process has just done so.
func advance(ctx context.Context, db *sql.DB, from int, project delivery.Project, topics []migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // a no-op once committed
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version != from {
		return err
	}
	if _, err := tx.ExecContext(ctx, "CREATE TEMP TABLE migrating AS SELECT ? AS project", project); err != nil {
		return err
	}
	for _, topic := range topics {
		if _, err := tx.ExecContext(ctx, topic.statements); err != nil {
			return err
		}
		if topic.convert == nil {
			continue
		}
		if err := topic.convert(ctx, tx, project); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("DROP TABLE migrating; PRAGMA user_version = %d", from+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// change runs do in one transaction that holds the write lock from its start.
func (d *database) change(ctx context.Context, act string, do func(*sql.Tx) error) error {
	if d.view != nil {
		return d.changeShared(ctx, act, do)
	}
	if d.full {
		return fullError(act, d.path)
	}
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return record.DatabaseError(act, d.path, err)
	}
	if err := do(tx); err != nil {
		return errors.Join(record.DatabaseError(act, d.path, err), undone(tx))
	}
	return record.DatabaseError(act, d.path, tx.Commit())
}

// undone rolls back; a transaction that SQLite has ended by itself is fine.
func undone(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

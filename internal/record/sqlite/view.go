package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// view makes a file the view of a log that many machines share. The log is the truth:
// a view may be thrown away at any time, and is made again from the log.
type view struct {
	log    *statelog.Log
	maxAge time.Duration // how old the view may be when it is read
	tables map[string]table
	apply  *sql.DB // writes what the log says, without foreign keys: see applyRows

	mu      sync.Mutex
	seen    time.Time // when the log was looked at last
	checked bool      // whether the log has the entry that the view was at; see checkPosition
}

// OpenView opens a project's records that are kept in a log. Below dir is this
// machine's view of it, which is brought up to date when it is read and older than
// maxAge, and before anything is changed. A nil clock is time.Now.
//
// A change runs on the view and is rolled back there; the rows that it changed are
// appended to the log, if nothing else was meanwhile, and applied to the view from
// there, like those of other machines. Otherwise it runs again on what is new. So no
// lock is held while the store is waited for, and changes have one order everywhere.
func OpenView(ctx context.Context, dir string, project delivery.Project, clock func() time.Time, log *statelog.Log, maxAge time.Duration) (*Store, error) {
	// The name tells views of other logs, and of other versions of the records, apart.
	path := filepath.Join(dir, fmt.Sprintf("%s-v%d.db", log.Identity.ID, len(migrations())))
	if err := begin(ctx, path, log); err != nil && !fault.Is(err, fault.Corrupt) {
		return nil, err
	}
	s, err := Open(ctx, path, project, clock)
	if fault.Is(err, fault.Corrupt) {
		if err := record.RemoveDatabase(path); err != nil {
			return nil, denied(path, err)
		}
		if err := begin(ctx, path, log); err != nil && !fault.Is(err, fault.Corrupt) {
			return nil, err
		}
		s, err = Open(ctx, path, project, clock)
	}
	if err != nil {
		return nil, err
	}
	if err := s.db.follow(ctx, log, maxAge); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// positionTable holds up to where the log was applied; it is no part of the log.
const positionTable = `CREATE TABLE IF NOT EXISTS log_position (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
INSERT OR IGNORE INTO log_position VALUES (1, 0, '')`

// follow makes the file a view of the log, and brings it up to date.
func (d *database) follow(ctx context.Context, log *statelog.Log, maxAge time.Duration) error {
	if err := d.attach(ctx, log, maxAge); err != nil {
		return err
	}
	_, err := d.catchUp(ctx)
	return err
}

// attach makes the file a view of the log, as old as it is.
func (d *database) attach(ctx context.Context, log *statelog.Log, maxAge time.Duration) error {
	v := &view{log: log, maxAge: maxAge}
	if _, err := d.write.ExecContext(ctx, positionTable); err != nil {
		return record.DatabaseError("prepare the view of the shared state", d.path, err)
	}
	var err error
	if v.tables, err = loggedTables(ctx, d.write); err != nil {
		return record.DatabaseError("prepare the view of the shared state", d.path, err)
	}
	// What a crash of the machine takes from a view comes back from the log.
	if v.apply, err = connectWith(d.path, 1, "_txlock=immediate&_pragma=foreign_keys(0)&_pragma=synchronous(NORMAL)"); err != nil {
		return err
	}
	d.view, d.read = v, upToDate{d}
	return nil
}

// upToDate is a view that is brought up to date before it is read.
type upToDate struct{ d *database }

func (u upToDate) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := u.d.refresh(ctx); err != nil {
		return nil, err
	}
	return u.d.readers.QueryContext(ctx, query, args...)
}

// refresh brings a view up to date if it is older than it may be.
func (d *database) refresh(ctx context.Context) error {
	d.view.mu.Lock()
	old := d.view.seen.IsZero() || time.Since(d.view.seen) >= d.view.maxAge
	d.view.mu.Unlock()
	if !old {
		return nil
	}
	_, err := d.catchUp(ctx)
	return err
}

// batchSize is how many entries are applied in one transaction.
const batchSize = 256

// catchUp applies what was added to the log; advanced reports whether there was
// something that this handle had not applied yet.
func (d *database) catchUp(ctx context.Context) (advanced bool, err error) {
	begun := time.Now()
	at, err := readPosition(ctx, d.readers)
	if err != nil {
		return false, record.DatabaseError("read the view of the shared state", d.path, err)
	}
	start := at
	if at.N == 0 {
		if at, err = d.applySnapshot(ctx); err != nil {
			return false, err
		}
	}
	end, err := d.applyFrom(ctx, at)
	if errors.Is(err, statelog.ErrPruned) {
		if at, err = d.restart(ctx, at); err == nil {
			end, err = d.applyFrom(ctx, at)
		}
	}
	if err == nil && end == at {
		err = d.checkPosition(ctx, end)
	}
	if err != nil {
		return false, fmt.Errorf("read the shared state: %w", err)
	}
	d.view.note(begun)
	return end != start, nil
}

// applyFrom applies what was added to the log after the position, and returns up to where.
func (d *database) applyFrom(ctx context.Context, at statelog.Position) (end statelog.Position, err error) {
	var batch []located
	flush := func() error {
		err := d.applyEntries(ctx, batch)
		batch = batch[:0]
		return err
	}
	end, err = d.view.log.Read(ctx, at, func(e statelog.Entry, p statelog.Position) error {
		batch = append(batch, located{e, p})
		if len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return end, err
}

// located is an entry with its place.
type located struct {
	statelog.Entry
	at statelog.Position
}

func readPosition(ctx context.Context, from asker) (p statelog.Position, err error) {
	err = first(ctx, from, "SELECT n, digest FROM log_position").Scan(&p.N, &p.Digest)
	return p, err
}

// applyEntries applies entries in one transaction, but for those that another process
// has applied already.
func (d *database) applyEntries(ctx context.Context, entries []located) error {
	if len(entries) == 0 {
		return nil
	}
	return d.applying(ctx, func(tx *sql.Tx) error {
		at, err := readPosition(ctx, tx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.N <= at.N {
				continue
			}
			if e.N != at.N+1 || e.Prev != at.Digest {
				return nil // the view was replaced meanwhile: what it lacks is read again
			}
			rows, err := parseRows(e.Schema, e.Rows)
			if err == nil {
				err = d.view.applyRows(ctx, tx, rows)
			}
			if err != nil {
				return fmt.Errorf("apply entry %d of the shared state: %w", e.N, err)
			}
			at = e.at
		}
		return writePosition(ctx, tx, at)
	})
}

func writePosition(ctx context.Context, tx *sql.Tx, at statelog.Position) error {
	_, err := tx.ExecContext(ctx, "UPDATE log_position SET n = ?, digest = ?", at.N, at.Digest)
	return err
}

func (d *database) applying(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := d.view.apply.BeginTx(ctx, nil)
	if err != nil {
		return record.DatabaseError("update the view of the shared state", d.path, err)
	}
	if err := do(tx); err != nil {
		return errors.Join(record.DatabaseError("update the view of the shared state", d.path, err), undone(tx))
	}
	return record.DatabaseError("update the view of the shared state", d.path, tx.Commit())
}

// note remembers that the view was up to date at a moment.
func (v *view) note(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if at.After(v.seen) {
		v.seen = at
	}
}

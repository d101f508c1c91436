package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// What SQLite reports where the index of its log can't be made, which every connection
// needs that shares the file with others: also one that only reads.
const (
	codeFull    = 13
	codeShmOpen = 10 | 18<<8
	codeShmSize = 10 | 19<<8
	codeShmMap  = 10 | 21<<8
)

// lacksSpace reports whether an error is that of a full disk.
func lacksSpace(err error) bool {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return false
	}
	switch code := coded.Code(); code {
	case codeShmOpen, codeShmSize, codeShmMap:
		return true
	default:
		return code&0xff == codeFull
	}
}

// openFull opens the records on a full disk, to be read: one connection that has the file
// to itself keeps the index in its own memory. While it is open, other processes wait.
func openFull(ctx context.Context, db *database) error {
	name := url.URL{Scheme: "file", OmitHost: true, Path: db.path, RawQuery: "_pragma=busy_timeout(15000)&_pragma=locking_mode(EXCLUSIVE)&_pragma=query_only(1)"}
	only, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	only.SetMaxOpenConns(1)
	var version int
	if err := only.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version != len(migrations()) {
		return errors.Join(errNotFull, err, only.Close())
	}
	db.write, db.readers, db.read, db.full = only, only, only, true
	return nil
}

var errNotFull = errors.New("the records can't be read on a full disk")

// reopenFull opens a file for reading whose opening failed because the disk is full.
func reopenFull(ctx context.Context, path string, project delivery.Project, db *database, cause error) (*Store, error) {
	if !lacksSpace(cause) {
		return nil, errors.Join(cause, db.close())
	}
	if err := db.close(); err != nil {
		return nil, errors.Join(cause, err)
	}
	again := &database{path: path, project: project, clock: db.clock}
	if err := openFull(ctx, again); err != nil {
		return nil, cause
	}
	return &Store{db: again}, nil
}

// fullError is the error of a change on a full disk.
func fullError(act, path string) error {
	return fault.New(fault.Exhausted, "%s: no space is left for %s", act, path).
		Hint("free some space on that disk and run the command again; nothing that was recorded is lost")
}

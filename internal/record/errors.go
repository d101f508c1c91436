package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/fault"
)

// The primary result codes of SQLite that people can do something about.
const (
	sqlitePerm     = 3
	sqliteBusy     = 5
	sqliteReadOnly = 8
	sqliteIO       = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

// DatabaseError makes what SQLite says about the file at path into a fault that tells
// what to do. Other errors get the act in front; faults stay as they are.
func DatabaseError(act, path string, err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var coded interface{ Code() int }
	if contextual(err) || !errors.As(err, &coded) {
		return fmt.Errorf("%s: %w", act, err)
	}
	switch coded.Code() & 0xff {
	case sqliteFull:
		return fault.New(fault.Exhausted, "%s: no space is left for %s", act, path).
			Hint("free some space on that disk and run the command again; nothing that was recorded is lost").Cause(err)
	case sqliteReadOnly, sqlitePerm, sqliteCantOpen:
		return fault.New(fault.Denied, "%s: %s can't be written", act, path).
			Hint("make the file and its folder writable for you, or set SLIPWAY_HOME to a folder that is").Cause(err)
	case sqliteIO:
		return fault.New(fault.Exhausted, "%s: input/output error on %s", act, path).
			Hint("check the disk's space, quota and health, then run the command again").Cause(err)
	case sqliteCorrupt, sqliteNotADB:
		return CorruptDatabase(path).Cause(err)
	case sqliteBusy:
		return fault.New(fault.Unavailable, "%s: another process keeps %s busy", act, path).
			Hint("try again; if that does not help, find out which process has the file open").Cause(err)
	}
	return fmt.Errorf("%s: %w", act, err)
}

// CorruptDatabase is the fault of a database that is not what was written.
func CorruptDatabase(path string) *fault.Error {
	return fault.New(fault.Corrupt, "%s is damaged or not Slipway's", path).
		Hint("restore %s from a backup; or move it away together with the files %s-wal and %s-shm: Slipway then starts without a history", path, path, path)
}

func contextual(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

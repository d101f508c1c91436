package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
)

// lock is a file that one open handle holds. The kernel lets it go when the
// process dies, however it dies.
type lock struct {
	file *os.File
	path string
}

// tryRunLock takes the lock at path, or reports that another handle has it.
func tryRunLock(path string) (l *lock, free bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, false, unwritable(path, err)
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, false, unwritable(path, err)
		}
		got, err := flock.Try(f)
		if err != nil {
			return nil, false, errors.Join(unwritable(path, err), f.Close())
		}
		if !got {
			return nil, false, f.Close()
		}
		if isCurrent(f, path) {
			return &lock{f, path}, true, nil
		}
		f.Close() // its owner removed it between our open and our lock: take the new one
	}
}

// isCurrent reports whether f is still the file at path.
func isCurrent(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}

// release removes the file while it is held, and lets it go.
func (l *lock) release() {
	_ = os.Remove(l.path) // a file that stays does no harm
	_ = l.file.Close()    // nothing was written to it
}

func unwritable(path string, err error) error {
	kind, hint := fault.Unavailable, "look at that folder's disk"
	switch {
	case errors.Is(err, fs.ErrPermission):
		kind, hint = fault.Denied, "make the state folder writable for you, or set SLIPWAY_HOME to one that is"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		kind, hint = fault.Exhausted, "free some space on that disk and run the command again"
	}
	return fault.New(kind, "write %s", path).Hint("%s", hint).Cause(err)
}

package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
)

// lock is a file that one open handle holds. The kernel lets it go when the
// process dies, however it dies.
type lock struct {
	file *os.File
	path string
}

// tryLock takes the lock at path, or reports that another handle has it.
func tryLock(path string) (l *lock, free bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, unwritable(path, err)
	}
	f, err := flock.TryLock(path)
	if err != nil {
		return nil, false, unwritable(path, err)
	}
	if f == nil {
		return nil, false, nil
	}
	return &lock{f, path}, true, nil
}

// HasProcess reports whether a process of this machine runs the run, or waits for
// its turn. home is the state folder.
func HasProcess(home string, id delivery.RunID) (bool, error) {
	path := runLockPath(home, id)
	held, err := flock.Held(path)
	if err != nil {
		return false, fault.New(fault.FileKind(err), "look at the lock %s", path).Cause(err)
	}
	return held, nil
}

func runLockPath(home string, id delivery.RunID) string {
	return filepath.Join(home, "locks", "run-"+string(id))
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

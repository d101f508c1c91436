// Package flock locks files against other processes, and against other handles in
// this one. A lock belongs to the open file: it ends when the last descriptor is
// closed, also if its process is killed, so there is nothing to clean up. A child
// that inherits the descriptor holds the lock, too.
package flock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/slipway-cd/slipway/internal/wait"
)

// pollInterval is how long a waiting process sleeps between two attempts. The
// kernel could wait by itself, but not under a context.
const pollInterval = 20 * time.Millisecond

// perm is the mode of lock files. They hold no secret, but whoever can open one, if
// only to read it, can hold its lock for ever.
const perm = 0o600

// Lock takes the exclusive lock of the file at path, which is made if need be, and
// waits until it is free or ctx ends; the error is ctx's cause then. onBusy, which
// may be nil, is called once if another handle holds the lock. Closing the file
// releases the lock.
//
// A link at path is an error: its file would be made, or closed to others, wherever that
// is.
//
// The file may be removed by whoever holds its lock: a lock of a file that is no
// longer at path is not one, and the new file is locked instead.
func Lock(ctx context.Context, path string, onBusy func()) (*os.File, error) {
	return lockPath(ctx, path, exclusive, onBusy)
}

// LockShared is Lock for any number of holders at once, which exclude an exclusive one.
func LockShared(ctx context.Context, path string, onBusy func()) (*os.File, error) {
	return lockPath(ctx, path, shared, onBusy)
}

// TryLock is Lock without waiting. The file is nil if another handle holds the lock.
func TryLock(path string) (*os.File, error) { return tryPath(path, exclusive) }

// Held reports whether another handle holds the exclusive lock of the file at path.
// A file that does not exist is not locked.
func Held(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := try(f, shared)
	return !free && err == nil, err
}

// LockFile takes the exclusive lock of an open file, such as one that was inherited
// or that is opened in a way of its own. See Lock; f is not closed on an error.
func LockFile(ctx context.Context, f *os.File, onBusy func()) error {
	return lockFile(ctx, f, exclusive, onBusy)
}

// LockFileShared is LockFile for any number of holders at once.
func LockFileShared(ctx context.Context, f *os.File, onBusy func()) error {
	return lockFile(ctx, f, shared, onBusy)
}

// Try takes the exclusive lock of an open file and reports whether it was free.
func Try(f *os.File) (free bool, err error) { return try(f, exclusive) }

// TryShared takes the shared lock of an open file and reports whether that was possible.
func TryShared(f *os.File) (free bool, err error) { return try(f, shared) }

// Wait takes the exclusive lock of an open file once it is free. Use LockFile if
// there is a context.
func Wait(f *os.File) error { return LockFile(context.Background(), f, nil) }

func lockPath(ctx context.Context, path string, m mode, onBusy func()) (*os.File, error) {
	var locked *os.File
	err := poll(ctx, path, onBusy, func() (bool, error) {
		var err error
		locked, err = tryPath(path, m)
		return locked != nil, err
	})
	return locked, err
}

func lockFile(ctx context.Context, f *os.File, m mode, onBusy func()) error {
	return poll(ctx, f.Name(), onBusy, func() (bool, error) { return try(f, m) })
}

func poll(ctx context.Context, path string, onBusy func(), attempt func() (bool, error)) error {
	reported := false
	var failed error
	err := wait.Poll(ctx, pollInterval, func(context.Context) (bool, error) {
		free, err := attempt()
		if failed = err; err != nil {
			return false, err
		}
		if !free && !reported && onBusy != nil {
			reported = true
			onBusy()
		}
		return free, nil
	})
	if err != nil && failed == nil {
		return fmt.Errorf("wait for the lock %s: %w", path, err)
	}
	return err
}

func tryPath(path string, m mode) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, perm)
		if err != nil {
			return nil, err
		}
		makePrivate(f)
		free, err := try(f, m)
		switch {
		case err != nil:
			return nil, errors.Join(err, f.Close())
		case !free:
			return nil, f.Close()
		case isAt(f, path):
			return f, nil
		}
		_ = f.Close() // its holder removed it after it was opened here: nothing was written
	}
}

// makePrivate closes a lock file of an earlier version to other users. It is theirs if
// that fails.
func makePrivate(f *os.File) {
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&^perm != 0 {
		_ = f.Chmod(perm)
	}
}

// isAt reports whether f is still the file at path.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(opened, now)
}

// Package scratch provides folders for files that are of no use once the process that made
// them has ended. One whose process was killed is removed by the next that makes one beside
// it, or by whoever sweeps.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/flock"
)

const (
	lockName = "lock"
	filesDir = "files"
	// minAge is the age from which a folder without a lock may be removed: a new one has
	// none yet.
	minAge = time.Minute
)

// Folder is one that is locked by this process.
type Folder struct {
	dir  string
	lock *os.File
}

// New makes a folder in parent, whose name begins with prefix, and removes the abandoned
// ones beside it.
func New(parent, prefix string, now time.Time) (*Folder, error) {
	Sweep(filepath.Join(parent, prefix+"*"), now)
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, fmt.Errorf("create a temporary folder: %w", err)
	}
	lock, err := flock.TryLock(filepath.Join(dir, lockName))
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, filesDir), 0o700)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a temporary folder: %w", err), os.RemoveAll(dir))
	}
	return &Folder{dir, lock}, nil
}

// Files is the folder for the files, empty at first. It may be moved elsewhere.
func (f *Folder) Files() string { return filepath.Join(f.dir, filesDir) }

// Close removes the folder.
func (f *Folder) Close() error {
	return errors.Join(os.RemoveAll(f.dir), f.lock.Close())
}

// Sweep removes the folders of processes that were killed, among those that the pattern
// of filepath.Glob matches. Those of other users stay: nothing in them is touched, since
// links may lead from there to anywhere.
func Sweep(pattern string, now time.Time) {
	dirs, _ := filepath.Glob(pattern) // a pattern that is none matches nothing
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < minAge {
			continue
		}
		if uid, known := filetrust.Owner(info); known && uid != os.Geteuid() {
			continue
		}
		if lock, err := flock.TryLock(filepath.Join(dir, lockName)); err == nil && lock != nil {
			_ = os.RemoveAll(dir) // the next one tries again
			_ = lock.Close()
		}
	}
}

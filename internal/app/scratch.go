package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/flock"
)

// Scratch folders are in the system's folder for temporary files. One whose process
// was killed is removed by the next that needs one.
const (
	scratchPattern = "slipway-plan-*"
	scratchLock    = "lock"
	scratchAge     = time.Minute // minimum age of one without a lock that may be removed: a new one has none yet
)

// scratch is a folder for what making a plan has to write.
type scratch struct {
	dir  string
	lock *os.File
}

func newScratch(now time.Time) (*scratch, error) {
	removeAbandoned(now)
	dir, err := os.MkdirTemp("", scratchPattern)
	if err != nil {
		return nil, fmt.Errorf("create a folder for the plan: %w", err)
	}
	lock, err := flock.TryLock(filepath.Join(dir, scratchLock))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a folder for the plan: %w", err), os.RemoveAll(dir))
	}
	return &scratch{dir, lock}, nil
}

func (s *scratch) close() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}

// removeAbandoned removes the folders of processes that were killed. Those of other
// users stay: nothing in them is touched, since links may lead from there to anywhere.
func removeAbandoned(now time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPattern)) // the pattern is valid
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < scratchAge {
			continue
		}
		if uid, known := filetrust.Owner(info); known && uid != os.Geteuid() {
			continue
		}
		if lock, err := flock.TryLock(filepath.Join(dir, scratchLock)); err == nil && lock != nil {
			_ = os.RemoveAll(dir) // the next one tries again
			_ = lock.Close()
		}
	}
}

package venv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/flock"
)

// usersName is the folder beside an environment with a file for each state folder that
// uses it: it contains the user's path, and its time is that of the last use. A job may
// use the environment for as long as usePeriod.
const (
	usersName  = "users"
	usePeriod  = 7 * 24 * time.Hour
	removedDir = ".removed-"
)

// reuse records the use of a complete environment, unless it is being removed.
func (m Manager) reuse(ctx context.Context, folder, user string) bool {
	if !isComplete(folder) {
		return false
	}
	lock, err := flock.LockShared(ctx, filepath.Join(folder, lockName), nil)
	if err != nil { // whoever creates it says why
		return false
	}
	defer lock.Close()
	if !isComplete(folder) {
		return false
	}
	m.recordUse(folder, user)
	return true
}

// recordUse keeps `slipway cleanup` from removing the environment as unused. The caller
// holds its lock.
func (m Manager) recordUse(folder, user string) {
	now := m.Clock.Now()
	_ = os.Chtimes(folder, now, now) // one that can't be touched is made again some day
	if err := os.MkdirAll(filepath.Join(folder, usersName), 0o755); err == nil {
		_ = atomicfile.Write(userFile(folder, user), []byte(user), 0o600)
	}
}

func userFile(folder, user string) string {
	name := sha256.Sum256([]byte(user))
	return filepath.Join(folder, usersName, hex.EncodeToString(name[:8]))
}

// ListUnused lists the environments in a cache folder that were not used since before,
// and that no other state folder may be using.
func ListUnused(cacheDir, user string, before time.Time) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(cacheDir, "python", "*"))
	var unused []string
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err == nil && info.ModTime().Before(before) && !usedByOthers(folder, user) {
			unused = append(unused, folder)
		}
	}
	return unused, err
}

// Detach moves an environment away, so that it can be removed without anyone beginning
// to use it meanwhile. ok is false if it is in use.
func Detach(folder, user string) (removed string, ok bool, err error) {
	lock, err := flock.TryLock(filepath.Join(folder, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil || lock == nil {
		return "", false, err
	}
	defer lock.Close()
	if usedByOthers(folder, user) {
		return "", false, nil
	}
	removed, err = os.MkdirTemp(filepath.Dir(folder), removedDir)
	if err != nil {
		return "", false, err
	}
	return removed, true, os.Rename(folder, filepath.Join(removed, envName))
}

// usedByOthers reports whether another state folder that still exists has used the
// environment not long ago.
func usedByOthers(folder, user string) bool {
	files, err := os.ReadDir(filepath.Join(folder, usersName))
	if err != nil {
		return false
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || time.Since(info.ModTime()) > usePeriod {
			continue
		}
		other, err := os.ReadFile(filepath.Join(folder, usersName, f.Name()))
		if err != nil || string(other) == user {
			continue
		}
		if _, err := os.Stat(string(other)); err == nil {
			return true
		}
	}
	return false
}

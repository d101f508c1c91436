package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

const (
	// projectName is a file in a project's caches that says whose they are. Each run
	// holds its lock, and its time is that of the last run.
	projectName = "project"
	// cachePeriod is how long the caches of a project without runs are kept.
	cachePeriod   = 30 * 24 * time.Hour
	removedPrefix = ".removed-"
)

// useCache keeps the project's caches from being removed until release is called. A
// folder that can't be written is left to the steps that need it.
func (s *session) useCache(ctx context.Context) (release func()) {
	dir := s.workspace.Cache
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return func() {}
	}
	lock, err := flock.LockShared(ctx, filepath.Join(dir, projectName), nil)
	if err != nil {
		return func() {}
	}
	repository, folder := repositoryOf(s.workspace.Repository)
	text := fmt.Sprintf("repository %s\nfolder %s\nservice %s\n", repository, folder, s.workspace.Project)
	_ = os.WriteFile(lock.Name(), []byte(text), 0o600) // for people
	now := s.app.Clock()
	_ = os.Chtimes(lock.Name(), now, now)
	return func() { _ = lock.Close() }
}

// abandonedCaches lists the caches of other projects without runs for a long
// time, and what a killed cleanup has left.
func (s *session) abandonedCaches() ([]string, error) {
	all := filepath.Dir(s.workspace.Cache)
	if filepath.Base(all) != projectsName {
		return nil, nil
	}
	entries, err := os.ReadDir(all)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, e := range entries {
		dir := filepath.Join(all, e.Name())
		abandoned := strings.HasPrefix(e.Name(), removedPrefix) || dir != s.workspace.Cache && s.isAbandoned(dir)
		if abandoned && isReadable(dir) {
			found = append(found, dir)
		}
	}
	return found, err
}

func (s *session) isAbandoned(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, projectName))
	if err != nil || s.app.Clock().Sub(info.ModTime()) < cachePeriod {
		return false
	}
	daemons, err := filepath.Glob(filepath.Join(dir, "*", "buildkit", "alive.lock"))
	for _, lock := range daemons {
		if held, err := flock.Held(lock); held || err != nil {
			return false
		}
	}
	return err == nil
}

// isReadable reports whether a tree can be removed: the BuildKit of an ordinary user may
// leave files of other users.
func isReadable(dir string) bool {
	return filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }) == nil
}

// detachCache moves a project's caches away, unless a run has begun to use them.
func (s *session) detachCache(dir string) (moved string, ok bool, err error) {
	if strings.HasPrefix(filepath.Base(dir), removedPrefix) {
		return dir, true, nil
	}
	lock, err := flock.TryLock(filepath.Join(dir, projectName))
	if err != nil || lock == nil {
		return "", false, err
	}
	defer lock.Close()
	if !s.isAbandoned(dir) {
		return "", false, nil
	}
	if moved, err = os.MkdirTemp(filepath.Dir(dir), removedPrefix); err != nil {
		return "", false, err
	}
	return moved, true, os.Rename(dir, filepath.Join(moved, filepath.Base(dir)))
}

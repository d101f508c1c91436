package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/record"
)

// CleanupOptions says what may go.
type CleanupOptions struct {
	Keep   int           // newest ended runs whose files stay
	Older  time.Duration // content that can be made again goes when it is older than this
	DryRun bool          // only tell
}

// CleanupResult is what `slipway cleanup` removed, or would.
type CleanupResult struct {
	Runs    []delivery.RunID `json:"runs"`    // whose logs and work folders went
	Folders int              `json:"folders"` // built images, models and unpacked files
	Bytes   int64            `json:"bytes"`
	DryRun  bool             `json:"dry_run"`
}

// keeper is a target that has files which it could do without.
type keeper interface {
	Unused(ctx context.Context, before time.Time) ([]string, error)
}

// Cleanup removes the files of old runs, and content that can be made or fetched
// again. Records, the registries and what serves stay.
func (a *App) Cleanup(ctx context.Context, c CleanupOptions) (done CleanupResult, err error) {
	done = CleanupResult{Runs: []delivery.RunID{}, DryRun: c.DryRun}
	err = a.withSession(ctx, func(s *session) error {
		runs, err := s.expiredRuns(ctx, c.Keep)
		if err != nil {
			return err
		}
		for _, id := range runs {
			size, err := removeTree(engine.RunDir(s.workspace.Home, id), c.DryRun)
			if err != nil {
				return err
			}
			if size > 0 {
				done.Runs, done.Bytes = append(done.Runs, id), done.Bytes+size
			}
		}
		folders, err := s.regenerable(ctx, a.Clock().Add(-c.Older))
		for _, f := range folders {
			if err != nil {
				return err
			}
			var size int64
			size, err = removeTree(f, c.DryRun)
			done.Folders, done.Bytes = done.Folders+1, done.Bytes+size
		}
		return err
	})
	return done, err
}

// expiredRuns are the ended runs but the newest.
func (s *session) expiredRuns(ctx context.Context, keep int) ([]delivery.RunID, error) {
	runs, err := s.deps.Runs.List(ctx, "", 0)
	var old []delivery.RunID
	for _, r := range runs {
		if r.State != record.Ended {
			continue
		}
		if keep--; keep < 0 {
			old = append(old, r.ID)
		}
	}
	return old, err
}

// regenerable lists content that the cache or a target would make again. It is
// left alone while a run is at work, which may be about to use it.
func (s *session) regenerable(ctx context.Context, before time.Time) ([]string, error) {
	if busy, err := s.deps.Runs.Unfinished(ctx); err != nil || len(busy) > 0 {
		return nil, err
	}
	out, err := filepath.Glob(filepath.Join(s.workspace.Home, "artifacts", "*", "*"))
	if err != nil {
		return nil, err
	}
	old := out[:0]
	for _, path := range out {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(before) {
			old = append(old, path)
		}
	}
	for _, t := range s.deps.Targets {
		if k, ok := t.(keeper); ok {
			unused, err := k.Unused(ctx, before)
			if err != nil {
				return nil, err
			}
			old = append(old, unused...)
		}
	}
	return old, nil
}

// removeTree removes a folder, which may have read-only folders in it, and tells its
// size in bytes. One that is not there is empty.
func removeTree(dir string, dry bool) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir() && !dry && info.Mode().Perm()&0o700 != 0o700:
			return os.Chmod(path, 0o700)
		case info.Mode().IsRegular():
			size += info.Size()
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return size, nil
	}
	if err != nil || dry {
		return size, err
	}
	return size, os.RemoveAll(dir)
}

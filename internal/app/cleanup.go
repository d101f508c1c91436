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
	err = a.with(ctx, func(s *session) error {
		runs, err := s.oldRuns(ctx, c.Keep)
		if err != nil {
			return err
		}
		for _, id := range runs {
			size, err := sweep(engine.RunDir(s.place.Home, id), c.DryRun)
			if err != nil {
				return err
			}
			if size > 0 {
				done.Runs, done.Bytes = append(done.Runs, id), done.Bytes+size
			}
		}
		folders, err := s.remakable(ctx, a.Clock().Add(-c.Older))
		for _, f := range folders {
			if err != nil {
				return err
			}
			var size int64
			size, err = sweep(f, c.DryRun)
			done.Folders, done.Bytes = done.Folders+1, done.Bytes+size
		}
		return err
	})
	return done, err
}

// oldRuns are the ended runs but the newest.
func (s *session) oldRuns(ctx context.Context, keep int) ([]delivery.RunID, error) {
	runs, err := s.parts.Runs.List(ctx, "", 0)
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

// remakable lists content that the cache or a target would make again. It is
// left alone while a run is at work, which may be about to use it.
func (s *session) remakable(ctx context.Context, before time.Time) ([]string, error) {
	if busy, err := s.parts.Runs.Unfinished(ctx); err != nil || len(busy) > 0 {
		return nil, err
	}
	out, err := filepath.Glob(filepath.Join(s.place.Home, "artifacts", "*", "*"))
	if err != nil {
		return nil, err
	}
	old := out[:0]
	for _, path := range out {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(before) {
			old = append(old, path)
		}
	}
	for _, t := range s.parts.Targets {
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

// sweep removes a folder, which may have read-only folders in it, and tells its
// size in bytes. One that is not there is empty.
func sweep(dir string, dry bool) (size int64, err error) {
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

package app

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step/venv"
)

// CleanupOptions selects what Cleanup removes.
type CleanupOptions struct {
	Keep   int           // number of finished runs, newest first, that keep their files
	Older  time.Duration // minimum age of content and cache entries to remove
	DryRun bool          // only count
}

// CleanupResult is what `slipway cleanup` removed, or would remove.
type CleanupResult struct {
	Runs         []delivery.RunID `json:"runs"`          // whose logs and work folders were removed
	Folders      int              `json:"folders"`       // built images, models and unpacked files
	CacheEntries int              `json:"cache_entries"` // step results that no run has used since
	Bytes        int64            `json:"bytes"`
	DryRun       bool             `json:"dry_run"`
	Items        []CleanupItem    `json:"items"` // the files, largest first
}

// CleanupItem is a folder that is removed as a whole.
type CleanupItem struct {
	Name  string `json:"name"` // "run 20261124-101502-k3f9", or a path below the state folder
	Bytes int64  `json:"bytes"`
}

// Cleanup removes the files of old runs, content that can be built or downloaded
// again, and cached step results that no run has used for a while. Records, the
// registries and what is deployed are kept. While a run is unfinished only the files
// of old runs are removed: it may be about to use the rest.
func (a *App) Cleanup(ctx context.Context, opts CleanupOptions) (result CleanupResult, err error) {
	result = CleanupResult{Runs: []delivery.RunID{}, DryRun: opts.DryRun, Items: []CleanupItem{}}
	defer func() {
		slices.SortStableFunc(result.Items, func(a, b CleanupItem) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}()
	if !opts.DryRun {
		a.useReserve(ctx)
	}
	err = a.withSession(ctx, func(s *session) error {
		if err := s.removeRunFiles(ctx, opts, &result); err != nil {
			return err
		}
		if busy, err := s.isBusy(ctx); err != nil || busy {
			return err
		}
		before := a.Clock().Add(-opts.Older)
		// When other machines used a shared result is not recorded here.
		if s.deps.Shared == nil {
			if err := s.pruneCache(ctx, before, &result); err != nil {
				return err
			}
		}
		return s.removeContent(ctx, before, &result)
	})
	return result, err
}

// isBusy reports whether a run may be about to use files of this machine. Those of other
// machines don't, and whoever finishes a killed one fetches what it needs.
func (s *session) isBusy(ctx context.Context) (bool, error) {
	unfinished, err := s.deps.Runs.Unfinished(ctx)
	if err != nil || s.deps.Owners == nil {
		return len(unfinished) > 0, err
	}
	for _, r := range unfinished {
		running, err := engine.HasProcess(s.workspace.Home, r.ID)
		if err != nil || running || s.isOnMachine(r.Environment) {
			return true, err
		}
	}
	return false, nil
}

// removeRunFiles removes the logs and work folders of all but the newest runs.
func (s *session) removeRunFiles(ctx context.Context, opts CleanupOptions, result *CleanupResult) error {
	runs, err := s.expiredRuns(ctx, opts.Keep)
	if err != nil {
		return err
	}
	for _, id := range runs {
		size, err := s.removeTree(engine.RunDir(s.workspace.Home, id), opts.DryRun)
		if err != nil {
			return err
		}
		if size > 0 {
			result.Runs, result.Bytes = append(result.Runs, id), result.Bytes+size
			result.Items = append(result.Items, CleanupItem{"run " + string(id), size})
		}
	}
	return nil
}

// pruneCache removes step results that were not used since before.
func (s *session) pruneCache(ctx context.Context, before time.Time, result *CleanupResult) (err error) {
	prune := s.deps.Cache.Prune
	if result.DryRun {
		prune = s.deps.Cache.CountUnused
	}
	result.CacheEntries, err = prune(ctx, before)
	return err
}

// removeContent removes content that is older than before and can be regenerated.
func (s *session) removeContent(ctx context.Context, before time.Time, result *CleanupResult) error {
	folders, err := s.regenerable(ctx, before)
	if err != nil {
		return err
	}
	for _, dir := range folders {
		moved, ok, err := s.detach(dir, result.DryRun)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		size, err := s.removeTree(moved, result.DryRun)
		result.Folders, result.Bytes = result.Folders+1, result.Bytes+size
		if err != nil {
			return err
		}
		name, relErr := filepath.Rel(s.workspace.Home, dir)
		if relErr != nil || strings.HasPrefix(name, "..") {
			name = dir
		}
		result.Items = append(result.Items, CleanupItem{name, size})
	}
	return nil
}

// expiredRuns returns the ended runs, except for the newest ones.
func (s *session) expiredRuns(ctx context.Context, keep int) ([]delivery.RunID, error) {
	var old []delivery.RunID
	for r, err := range record.AllRuns(ctx, s.deps.Runs, "") {
		if err != nil {
			return nil, err
		}
		if r.State != record.Ended {
			continue
		}
		if keep--; keep < 0 {
			old = append(old, r.ID)
		}
	}
	return old, nil
}

// regenerable lists content that a step or a target would create again.
func (s *session) regenerable(ctx context.Context, before time.Time) ([]string, error) {
	out, err := filesBelow(s.workspace.Home, "artifacts/*/*")
	if err != nil {
		return nil, err
	}
	former := filepath.Join(s.artifacts(), "python") // of versions without caches of projects
	old, err := s.unusedEnvironments(before)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(former); err == nil {
		old = append(old, former)
	}
	abandoned, err := s.abandonedCaches()
	if err != nil {
		return nil, err
	}
	old = append(old, abandoned...)
	for _, path := range out {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(before) && filepath.Dir(path) != former {
			old = append(old, path)
		}
	}
	for _, l := range s.deps.Unused {
		unused, err := l.ListUnused(ctx, before)
		if err != nil {
			return nil, err
		}
		old = append(old, unused...)
	}
	return old, nil
}

// artifacts is the folder that steps keep results in. It names this state folder among
// the users of the project's caches.
func (s *session) artifacts() string { return filepath.Join(s.workspace.Home, "artifacts") }

// unusedEnvironments lists the Python environments in the project's caches that no clone
// has used since before.
func (s *session) unusedEnvironments(before time.Time) (all []string, err error) {
	if s.workspace.Cache == "" {
		return nil, nil
	}
	for _, class := range delivery.TrustClasses() {
		unused, err := venv.ListUnused(filepath.Join(s.workspace.Cache, string(class)), s.artifacts(), before)
		if err != nil {
			return nil, err
		}
		all = append(all, unused...)
	}
	return all, nil
}

// detach returns the folder to remove: what clones share is moved away before, unless
// one of them has begun to use it.
func (s *session) detach(dir string, dry bool) (folder string, ok bool, err error) {
	switch {
	case dry || s.workspace.Cache == "":
		return dir, true, nil
	case filepath.Dir(dir) == filepath.Dir(s.workspace.Cache):
		return s.detachCache(dir)
	case strings.HasPrefix(dir, s.workspace.Cache+string(filepath.Separator)):
		return venv.Detach(dir, s.artifacts())
	}
	return dir, true, nil
}

// removeTree removes a folder and returns its size in bytes. One in the state folder is
// reached without following links out of that.
func (s *session) removeTree(dir string, dry bool) (size int64, err error) {
	base := filepath.Dir(dir)
	if strings.HasPrefix(dir, s.workspace.Home+string(filepath.Separator)) {
		base = s.workspace.Home
	}
	size, err = removeBelow(base, dir, dry)
	if err != nil {
		return size, fmt.Errorf("remove %s: %w", dir, err)
	}
	return size, nil
}

package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// MinStateAge is the age that something in a shared state must have to be removed.
const MinStateAge = statelog.MinRetention

// PruneStateOptions selects what PruneState removes.
type PruneStateOptions struct {
	Older  time.Duration // minimum age, at least MinStateAge
	DryRun bool          // only count
}

// PruneStateResult is what PruneState removed, or would remove.
type PruneStateResult struct {
	Location     string `json:"location"`
	CacheEntries int    `json:"cache_entries"` // step results that are that old
	statelog.Pruned
	shared.PrunedContent
	DryRun bool `json:"dry_run"`
}

// PruneState removes what is old in a shared state: step results, entries that a snapshot
// stands for, blobs that nothing names any more, logs of runs, and what killed processes
// left. The history stays: it is in the snapshot. A damaged state is left as it is.
func (a *App) PruneState(ctx context.Context, opts PruneStateOptions) (result PruneStateResult, err error) {
	if opts.Older < MinStateAge {
		return result, fault.New(fault.Invalid, "what is younger than 30 days can't be removed from a shared state").
			Hint("a machine that was away for less could otherwise go on from where it was")
	}
	err = a.withSession(ctx, func(s *session) error {
		if err := s.needShared(); err != nil {
			return err
		}
		result, err = s.pruneState(ctx, opts)
		return err
	})
	return result, err
}

func (s *session) pruneState(ctx context.Context, opts PruneStateOptions) (result PruneStateResult, err error) {
	state := s.deps.Shared
	result.Location, result.DryRun = state.Location, opts.DryRun
	found, err := s.app.verifyLog(ctx, state)
	if err != nil {
		return result, err
	}
	if len(found.Problems) > 0 {
		return result, fault.New(fault.Corrupt, "the shared state is damaged: nothing is removed").Cause(found.Problems[0]).
			Hint("`slipway state verify` lists what is damaged")
	}
	prune := s.deps.Cache.Prune
	if opts.DryRun {
		prune = s.deps.Cache.CountUnused
	}
	if result.CacheEntries, err = prune(ctx, s.app.Clock().Add(-opts.Older)); err != nil {
		return result, err
	}
	result.Pruned, err = state.Log.Prune(ctx, statelog.PruneOptions{MinAge: opts.Older, Snapshots: found.Snapshots, DryRun: opts.DryRun})
	if err != nil {
		return result, err
	}
	named, err := s.deps.Maintenance.Digests(ctx)
	if err != nil {
		return result, err
	}
	result.PrunedContent, err = state.PruneContent(ctx, opts.Older, named, opts.DryRun)
	return result, err
}

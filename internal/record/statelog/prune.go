package statelog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MinRetention is the age that an entry must have to be removed. A number that is free
// again could be taken by a machine that has not noticed that it was used: it would have
// to be paused for so long, see Read and Append.
const MinRetention = 30 * 24 * time.Hour

// abandonedAge is the age, by the store's clock, of a beat or a probe that its process
// has left behind: an owner is replaced after a minute.
const abandonedAge = 24 * time.Hour

// PruneOptions selects what Prune removes.
type PruneOptions struct {
	MinAge time.Duration // of the entries; at least MinRetention
	// Snapshots are the numbers of the snapshots that are what the entries come to: only
	// one of them can stand for the entries before it.
	Snapshots []int64
	DryRun    bool // only count
}

// Count is a number of objects, and their size.
type Count struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Add counts an object.
func (c *Count) Add(o port.Object) { c.Objects, c.Bytes = c.Objects+1, c.Bytes+o.Size }

// Pruned is what Prune removed, or would remove.
type Pruned struct {
	Through   int64 `json:"through"`   // number of the newest entry that was removed, now or earlier
	Entries   Count `json:"entries"`   // with the rows that they kept in objects of their own
	Snapshots Count `json:"snapshots"` // of entries that were removed
	Abandoned Count `json:"abandoned"` // beats and probes of processes that were killed
}

// Prune removes old entries, so that the log begins with a snapshot, and what killed
// processes left. The newest two of the given snapshots, and the entries after them,
// stay. Others may read and write meanwhile; a call that was interrupted is finished by
// the next one.
func (l *Log) Prune(ctx context.Context, opts PruneOptions) (p Pruned, err error) {
	if opts.MinAge < MinRetention {
		return p, fault.New(fault.Invalid, "entries that are younger than %d days can't be removed", int(MinRetention.Hours())/24).
			Hint("a machine that was away for less could take their numbers again")
	}
	now, err := l.Now(ctx)
	if err != nil {
		return p, err
	}
	point, err := l.advancePoint(ctx, opts, now)
	if err != nil {
		return p, err
	}
	p.Through = point
	upTo := func(prefix string, last int64) func(port.Object) bool {
		return func(o port.Object) bool {
			n, ok := numberOf(o.Key, prefix)
			return ok && n <= last
		}
	}
	abandoned := func(o port.Object) bool { return now.Sub(o.ModTime) > abandonedAge }
	var points Count // their removal is not worth telling
	for _, part := range []struct {
		into   *Count
		prefix string
		match  func(port.Object) bool
	}{
		{&p.Entries, EntryPrefix, upTo(EntryPrefix, point)},
		{&p.Entries, RowsPrefix, upTo(RowsPrefix, point)},
		{&p.Snapshots, SnapshotPrefix, upTo(SnapshotPrefix, point-1)},
		{&points, PointPrefix, upTo(PointPrefix, point-1)},
		{&p.Abandoned, beatPrefix, abandoned},
		{&p.Abandoned, probePrefix, abandoned},
	} {
		if err := Remove(ctx, l.Store, part.prefix, part.match, opts.DryRun, part.into); err != nil {
			return p, err
		}
	}
	return p, nil
}

// advancePoint moves the prune point as far as it may be, and returns the number of its
// entry; 0: the log begins with its first entry.
func (l *Log) advancePoint(ctx context.Context, opts PruneOptions, now time.Time) (int64, error) {
	present, err := l.PrunePoint(ctx)
	if err != nil {
		return 0, err
	}
	next, err := l.newestOld(ctx, opts, present.After.N, now)
	if err != nil || next.After.N == 0 || opts.DryRun {
		return max(present.After.N, next.After.N), err
	}
	if err := l.keepDigests(ctx, present.After, next.After.N); err != nil {
		return 0, err
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return 0, err
	}
	err = insist(ctx, func() error { return ignoreExists(l.Store.Create(ctx, pointKey(next.After.N), raw)) })
	if err != nil {
		return 0, fmt.Errorf("record that entries up to %d of the shared state are removed: %w", next.After.N, err)
	}
	return next.After.N, nil
}

// newestOld returns the newest point after the present one that entries may be removed
// up to; the zero one without any.
func (l *Log) newestOld(ctx context.Context, opts PruneOptions, present int64, now time.Time) (PrunePoint, error) {
	numbers := slices.Sorted(slices.Values(opts.Snapshots))
	for i := len(numbers) - 2; i >= 0 && numbers[i] > present; i-- {
		added, err := l.modTime(ctx, entryKey(numbers[i]))
		if err != nil {
			return PrunePoint{}, err
		}
		if now.Sub(added) < opts.MinAge {
			continue
		}
		s, err := l.Snapshot(ctx, numbers[i])
		if err != nil {
			return PrunePoint{}, err
		}
		raw, err := l.get(ctx, entryKey(numbers[i]))
		if err != nil {
			return PrunePoint{}, err
		}
		if at := (Position{numbers[i], delivery.DigestOf(raw)}); s.After != at {
			return PrunePoint{}, fault.New(fault.Corrupt, "the snapshot after entry %d of the shared state is not of this entry", numbers[i]).Hint("`slipway state verify` checks all of them")
		}
		return PrunePoint{After: s.After, Snapshot: s.Stored, At: now.UTC()}, nil
	}
	return PrunePoint{}, nil
}

// removals is how many objects are removed at once.
const removals = 16

// Remove deletes the objects with the prefix that match, or only counts them.
func Remove(ctx context.Context, store port.ObjectStore, prefix string, match func(port.Object) bool, dry bool, count *Count) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(removals)
	var failed error
	for o, err := range port.AllObjects(ctx, store, prefix) {
		if failed = err; failed != nil {
			break
		}
		if !match(o) {
			continue
		}
		count.Add(o)
		if !dry {
			group.Go(func() error { return store.Delete(ctx, o.Key) })
		}
	}
	if err := errors.Join(failed, group.Wait()); err != nil {
		return fmt.Errorf("remove old objects below %s of the shared state: %w", prefix, err)
	}
	return nil
}

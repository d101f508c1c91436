package shared

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// Usage is what a shared state keeps.
type Usage struct {
	Now       time.Time      // by the store's clock, as are all times here
	First     int64          // number of the first entry; 0: there is none
	Last      int64          // number of the newest entry
	NewestAt  time.Time      // when it was added
	Entries   statelog.Count // with the rows that they keep in objects of their own
	Snapshots statelog.Count
	Blobs     statelog.Count // results, models and images, by content
	Logs      statelog.Count // of runs
	Pruned    time.Time      // when entries were removed last; zero: never
}

// Usage counts what is there.
func (s *State) Usage(ctx context.Context) (u Usage, err error) {
	if u.Now, err = s.Log.Now(ctx); err != nil {
		return u, err
	}
	numbered := func(o port.Object) {
		n, ok := statelog.EntryNumber(o.Key)
		if !ok {
			return
		}
		if u.First == 0 {
			u.First = n
		}
		u.Last, u.NewestAt = n, o.ModTime
	}
	var packed, points statelog.Count
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range []struct {
		prefix string
		into   *statelog.Count
		note   func(port.Object)
	}{
		{statelog.EntryPrefix, &u.Entries, numbered},
		{statelog.SnapshotPrefix, &u.Snapshots, nil},
		{blobs.Prefix, &u.Blobs, nil},
		{runfiles.Prefix, &u.Logs, nil},
		{statelog.RowsPrefix, &packed, nil},
		{statelog.PointPrefix, &points, func(o port.Object) { u.Pruned = o.ModTime }},
	} {
		group.Go(func() error {
			for o, err := range port.AllObjects(ctx, s.Objects, part.prefix) {
				if err != nil {
					return fmt.Errorf("count what is in %s: %w", s.Location, err)
				}
				part.into.Add(o)
				if part.note != nil {
					part.note(o)
				}
			}
			return nil
		})
	}
	err = group.Wait()
	u.Entries.Bytes += packed.Bytes
	return u, err
}

package statelog

import (
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// window is how many entries are read at once.
const window = 16

// Read calls each with the entries after the position, in order, up to the newest one,
// and returns the position after it. An entry that is missing in between, or does not
// follow the one before it, is fault.Corrupt; those that were removed are ErrPruned. It
// ends at the first error of each.
func (l *Log) Read(ctx context.Context, after Position, each func(Entry, Position) error) (Position, error) {
	// Mostly there is none, or one: more are fetched at once as more are found.
	for ahead := 1; ; ahead = min(4*ahead, window) {
		asked := wait.Now()
		raws, err := l.fetch(ctx, after.N, ahead)
		if err != nil {
			return after, err
		}
		for _, raw := range raws {
			e, next, err := parse(raw, after)
			if err != nil {
				return after, l.explainDamage(ctx, after, err)
			}
			if e.Rows, err = l.unpack(ctx, e); err != nil {
				return after, err
			}
			if err := each(e, next); err != nil {
				return after, err
			}
			after = next
		}
		if len(raws) == ahead {
			continue
		}
		if newest, err := l.checkNewest(ctx, after.N, asked); err != nil || newest {
			return after, err
		}
	}
}

// parse reads the entry that follows the position.
func parse(raw []byte, after Position) (Entry, Position, error) {
	var e Entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, after, corrupt(after.N+1, "it is not JSON").Cause(err)
	}
	switch {
	case e.N != after.N+1:
		return e, after, corrupt(after.N+1, "its number is %d", e.N)
	case e.Prev != after.Digest:
		return e, after, corrupt(after.N+1, "it does not follow entry %d as it was read here: one of the two was changed, or replaced", after.N)
	}
	return e, Position{N: e.N, Digest: delivery.DigestOf(raw)}, nil
}

func corrupt(n int64, format string, args ...any) *fault.Error {
	return fault.New(fault.Corrupt, "entry %d of the shared state is damaged", n).Cause(fault.New(fault.Corrupt, format, args...)).
		Hint("compare the objects below log/ with a backup or their older versions; `slipway state verify` checks all of them")
}

// fetch reads up to count entries after n, at once. Fewer mean that there are no more.
func (l *Log) fetch(ctx context.Context, n int64, count int) ([][]byte, error) {
	raws, err := l.getAll(ctx, n, count)
	if err != nil {
		return nil, err
	}
	end, hole := contiguous(raws)
	if hole {
		// The entry may have been added after it was looked for, and before the next.
		if raws[end], err = l.getIfThere(ctx, entryKey(n+1+int64(end))); err != nil {
			return nil, err
		}
		if raws[end] == nil {
			return nil, l.explainHole(ctx, n+1+int64(end))
		}
		if end, hole = contiguous(raws); hole {
			return l.fetch(ctx, n, count)
		}
	}
	return raws[:end], nil
}

// explainHole returns why entry n is missing where a later one is there.
func (l *Log) explainHole(ctx context.Context, n int64) error {
	pruned, err := l.prunedAfter(ctx, n-1)
	switch {
	case err != nil:
		return err
	case pruned:
		return ErrPruned
	}
	return corrupt(n, "it is missing, and a later one is there")
}

// explainDamage returns why the entry after the position does not follow it. It may be
// the position that is wrong: an entry that a machine added again after it had been
// removed, and did not live to take back.
func (l *Log) explainDamage(ctx context.Context, after Position, damage error) error {
	point, err := l.PrunePoint(ctx)
	if err != nil {
		return errors.Join(damage, err)
	}
	if n := point.After.N; n > after.N || n == after.N && n > 0 && point.After != after {
		return ErrPruned
	}
	return damage
}

// contiguous returns how many entries are there from the start on, and whether a later
// one is.
func contiguous(raws [][]byte) (end int, hole bool) {
	for end < len(raws) && raws[end] != nil {
		end++
	}
	for _, later := range raws[end:] {
		hole = hole || later != nil
	}
	return end, hole
}

func (l *Log) getAll(ctx context.Context, n int64, count int) ([][]byte, error) {
	raws := make([][]byte, count)
	group, ctx := errgroup.WithContext(ctx)
	for i := range raws {
		group.Go(func() (err error) {
			raws[i], err = l.getIfThere(ctx, entryKey(n+1+int64(i)))
			return err
		})
	}
	return raws, group.Wait()
}

// getIfThere returns an object's content, or nil without one.
func (l *Log) getIfThere(ctx context.Context, key string) ([]byte, error) {
	raw, err := l.get(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err == nil && len(raw) == 0 {
		raw = []byte{} // there, and damaged
	}
	return raw, err
}

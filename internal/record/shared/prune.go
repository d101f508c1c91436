package shared

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// PrunedContent is what PruneContent removed, or would remove.
type PrunedContent struct {
	Blobs statelog.Count `json:"blobs"` // that no record names
	Logs  statelog.Count `json:"logs"`  // of runs
}

// PruneContent removes logs of runs, and blobs that neither the records nor a set nor
// another blob name, if they are older than minAge by the store's clock. named is what the records
// name. What a run is about to name is younger: it was saved, or saved again, lately
// (blobs.RefreshAge); should it be removed nevertheless, it is made again.
func (s *State) PruneContent(ctx context.Context, minAge time.Duration, named map[delivery.Digest]bool, dry bool) (p PrunedContent, err error) {
	if minAge < statelog.MinRetention {
		return p, fault.New(fault.Invalid, "content that is younger than %d days can't be removed", int(statelog.MinRetention.Hours())/24)
	}
	now, err := s.Log.Now(ctx)
	if err != nil {
		return p, err
	}
	old := func(o port.Object) bool { return now.Sub(o.ModTime) > minAge }
	if err := statelog.Remove(ctx, s.Objects, runfiles.Prefix, old, dry, &p.Logs); err != nil {
		return p, err
	}
	there := map[delivery.Digest]port.Object{}
	for o, err := range port.AllObjects(ctx, s.Objects, blobs.Prefix) {
		if err != nil {
			return p, fmt.Errorf("list the blobs in %s: %w", s.Location, err)
		}
		if d, ok := blobs.DigestOf(o.Key); ok {
			there[d] = o
		}
	}
	// Members of sets, such as signatures of a manifest, are named by their keys.
	for o, err := range port.AllObjects(ctx, s.Objects, blobs.SetPrefix) {
		if err != nil {
			return p, fmt.Errorf("list the sets in %s: %w", s.Location, err)
		}
		if d, ok := blobs.MemberOf(o.Key); ok {
			named[d] = true
		}
	}
	if err := s.follow(ctx, named, there); err != nil {
		return p, err
	}
	unnamed := func(o port.Object) bool {
		d, ok := blobs.DigestOf(o.Key)
		return ok && !named[d] && old(o)
	}
	return p, statelog.Remove(ctx, s.Objects, blobs.Prefix, unnamed, dry, &p.Blobs)
}

// follow adds what named blobs name themselves.
func (s *State) follow(ctx context.Context, named map[delivery.Digest]bool, there map[delivery.Digest]port.Object) error {
	var next []port.Object
	for d, o := range there {
		if named[d] {
			next = append(next, o)
		}
	}
	for len(next) > 0 {
		lists := make([][]delivery.Digest, len(next))
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(together)
		for i, o := range next {
			group.Go(func() (err error) {
				lists[i], err = s.digestsIn(within, o)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		next = nil
		for _, d := range slices.Concat(lists...) {
			if o, ok := there[d]; ok && !named[d] {
				named[d], next = true, append(next, o)
			}
		}
	}
	return nil
}

// digestsIn returns what a blob names that may name others: a folder's list of its
// files, or a manifest of an image or a model, which are shorter.
func (s *State) digestsIn(ctx context.Context, o port.Object) ([]delivery.Digest, error) {
	if o.Size > blobs.MaxList {
		return nil, nil
	}
	r, _, err := s.Objects.Open(ctx, o.Key)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	begin := make([]byte, 1)
	if _, err := io.ReadFull(r, begin); err != nil || !bytes.Equal(begin, []byte("{")) {
		return nil, nil // empty, or no JSON
	}
	rest, err := io.ReadAll(io.LimitReader(r, blobs.MaxList))
	return slices.Collect(delivery.DigestsIn(string(rest))), err
}

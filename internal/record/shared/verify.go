package shared

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// together is how many blobs are read at once.
const together = 8

// VerifyBlobs reads all blobs, and returns how many are what their keys say and what is
// wrong with the others. progress is called now and then with how many were read. An
// error means that it could not be done.
func (s *State) VerifyBlobs(ctx context.Context, progress func(done int)) (sound statelog.Count, problems []error, err error) {
	var mu sync.Mutex
	done := 0
	note := func(o port.Object, damage error) {
		mu.Lock()
		defer mu.Unlock()
		done++
		progress(done)
		if damage != nil {
			problems = append(problems, damage)
			return
		}
		sound.Add(o)
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(together)
	store := &blobs.Store{Objects: s.Objects}
	for o, err := range port.AllObjects(within, s.Objects, blobs.Prefix) {
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		group.Go(func() error {
			err := readBlob(within, store, o)
			if err == nil || fault.Is(err, fault.Corrupt) {
				note(o, err)
				return nil
			}
			if fault.Is(err, fault.NotFound) {
				return nil // it was removed meanwhile
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return sound, problems, fmt.Errorf("check the blobs in %s: %w", s.Location, err)
	}
	return sound, problems, nil
}

func readBlob(ctx context.Context, store *blobs.Store, o port.Object) error {
	digest, ok := blobs.DigestOf(o.Key)
	if !ok {
		return fault.New(fault.Corrupt, "the key %s names no digest", o.Key).Hint("delete the object: Slipway did not write it")
	}
	content, _, err := store.Open(ctx, digest)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content)
	if fault.Is(err, fault.Corrupt) {
		err = fault.New(fault.Corrupt, "blob %s is damaged", digest).Cause(err).
			Hint("delete the object %s: what it was is made again, or saved by a machine that has it", o.Key)
	}
	return err
}

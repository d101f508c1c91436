package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

// findData digests the training data, and pins what is in a store of objects. Files that
// have not changed since the last time are not read again.
func (s *session) findData(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	model := s.project.In(env).Model
	if model == nil || model.Train == nil {
		return nil
	}
	at, err := s.project.DataLocation()
	if err != nil {
		return err
	}
	cache := digest.NewCache(s.app.Clock)
	file := filepath.Join(s.workspace.Home, "digests.json")
	if err := cache.Load(file); err != nil {
		return err
	}
	h := digest.Hasher{Cache: cache}
	var paths []string
	for i, p := range model.Data {
		if config.IsDataset(p) {
			pinned, err := s.pinDataset(ctx, at, i, p)
			if err != nil {
				return err
			}
			f.Datasets, f.Data = append(f.Datasets, pinned), append(f.Data, plan.Data{Path: p, Digest: pinned.Digest})
			continue
		}
		if !filepath.IsAbs(p) {
			p = filepath.Join(s.workspace.Repository, p)
		}
		d, err := h.Paths(ctx, []string{p})
		if fault.Is(err, fault.Invalid) {
			return err
		}
		if err != nil {
			return fault.New(fault.NotFound, "read the training data model.data[%d]", i).Location(config.FileName).Cause(err).
				Hint("paths are relative to the folder that contains %s", config.FileName)
		}
		f.Data = append(f.Data, plan.Data{Path: p, Digest: d})
		paths = append(paths, p)
	}
	d, err := h.Paths(ctx, paths)
	if err != nil {
		return err
	}
	f.DataDigest = digest.Joint(d, f.Datasets)
	if s.preview {
		return nil
	}
	return cache.Save(file)
}

// pinDataset resolves data in a store of objects, once: what the plan pins is what is
// trained with.
func (s *session) pinDataset(ctx context.Context, at delivery.Location, i int, uri string) (delivery.Dataset, error) {
	if s.deps.Datasets == nil {
		return delivery.Dataset{}, fault.New(fault.Internal, "pin model.data[%d]: no store of objects is wired", i)
	}
	store, err := s.deps.Datasets(at)
	if err != nil {
		return delivery.Dataset{}, err
	}
	d, err := store.Pin(ctx, uri)
	if err != nil {
		return d, fmt.Errorf("pin model.data[%d]: %w", i, err)
	}
	return d, nil
}

// Package scanarchives shares the archives of vulnerability databases among machines: as
// blobs, which a cached result names, so that they are kept and removed like those of
// steps.
package scanarchives

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// Store keeps the newest archive of each format.
type Store struct {
	Cache record.Cache
	Blobs port.Blobs
}

var _ port.ScanArchives = Store{}

// keyOf returns the key of the cached result. It is stored, so it never changes.
func keyOf(format string) delivery.Digest {
	return delivery.DigestOf([]byte("vulnerability database " + format))
}

// Newest implements port.ScanArchives.
func (s Store) Newest(ctx context.Context, format string) (a port.ScanArchive, ok bool, err error) {
	r, ok, err := s.Cache.Peek(ctx, keyOf(format))
	if err != nil || !ok {
		return a, false, err
	}
	if err := json.Unmarshal(r.Output, &a); err != nil {
		return a, false, fmt.Errorf("read the shared vulnerability database %s: %w", format, err)
	}
	return a, true, nil
}

// Save implements port.ScanArchives.
func (s Store) Save(ctx context.Context, format string, a port.ScanArchive, file string) (err error) {
	if a.Blob, err = s.Blobs.Save(ctx, file); err != nil {
		return fmt.Errorf("share the vulnerability database %s: %w", format, err)
	}
	r, err := step.Succeed(fmt.Sprintf("%s of %s", format, a.BuiltAt.UTC().Format("2006-01-02")), a)
	if err != nil {
		return err
	}
	r.Files = []step.File{{Path: a.Name, Blob: a.Blob}}
	return s.Cache.Put(ctx, keyOf(format), "", r)
}

// Fetch implements port.ScanArchives.
func (s Store) Fetch(ctx context.Context, a port.ScanArchive, file string) error {
	return s.Blobs.Fetch(ctx, a.Blob, file)
}

package oci

import (
	"context"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// Download makes dir an OCI layout of the image. Beside dir it keeps dir.lock.
func (r *Registry) Download(ctx context.Context, img delivery.Image, dir string) error {
	if err := validateImage(img); err != nil {
		return err
	}
	at, err := r.repoRef(ctx, img.Repository)
	if err != nil {
		return err
	}
	act := "download " + img.String()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	held, err := lockFolder(ctx, act, dir)
	if err != nil {
		return err
	}
	defer held.Close()
	if ocilayout.Layout(dir).IsComplete(img.Digest) {
		return nil
	}
	partial := dir + ".partial"
	defer removeAll(partial)
	if err := at.restore(ctx, img.Digest); err != nil {
		return at.toFault(ctx, act, err)
	}
	if err := at.writeLayout(img, partial); err != nil {
		return at.toFault(ctx, act, err)
	}
	removeAll(dir)
	if err := os.Rename(partial, dir); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return nil
}

// writeLayout downloads the image, or a multi-platform one with all its images,
// into a new folder. The library checks every blob against its digest.
func (p repoRef) writeLayout(img delivery.Image, dir string) error {
	removeAll(dir)
	found, err := remote.Get(p.repo.Digest(string(img.Digest)), p.options...)
	if err != nil {
		return err
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return err
		}
		return to.AppendIndex(index)
	}
	image, err := found.Image()
	if err != nil {
		return err
	}
	return to.AppendImage(image)
}

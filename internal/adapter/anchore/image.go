package anchore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// platform is an image for one processor.
type platform struct {
	digest delivery.Digest // of its manifest
	image  v1.Image
}

// platforms returns the image in the layout, or all images of a multi-platform
// one. Every blob has the content that its digest names, or the error is
// fault.Corrupt: what is scanned is what is pushed.
func platforms(dir string, d delivery.Digest) ([]platform, error) {
	if !d.Valid() {
		return nil, fault.New(fault.Internal, "scan: invalid digest %q", d)
	}
	found, err := readPlatforms(ocilayout.Layout(dir), d)
	if err != nil {
		return nil, corruptImage(dir, err)
	}
	return found, nil
}

func readPlatforms(l ocilayout.Layout, d delivery.Digest) ([]platform, error) {
	listed, err := l.Contains(d)
	if err != nil {
		return nil, err
	}
	if !listed {
		return nil, fmt.Errorf("the layout does not list %s", d)
	}
	images, err := l.Images(d)
	if err != nil {
		return nil, err
	}
	var all []platform
	for _, img := range images {
		for _, b := range append([]ocilayout.Descriptor{*img.Manifest.Config}, img.Manifest.Layers...) {
			if err := checkBlob(l, b.Digest); err != nil {
				return nil, err
			}
		}
		opened, err := open(l, img)
		if err != nil {
			return nil, err
		}
		all = append(all, platform{img.Descriptor.Digest, opened})
	}
	return all, nil
}

// open returns the image as the cataloger reads it.
func open(l ocilayout.Layout, img ocilayout.Image) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(string(l))
	if err != nil {
		return nil, err
	}
	if img.Index != "" {
		hash, err := v1.NewHash(string(img.Index))
		if err != nil {
			return nil, err
		}
		if index, err = index.ImageIndex(hash); err != nil {
			return nil, err
		}
	}
	hash, err := v1.NewHash(string(img.Descriptor.Digest))
	if err != nil {
		return nil, err
	}
	return index.Image(hash)
}

// checkBlob reads a blob of the layout and compares its content with its digest.
func checkBlob(l ocilayout.Layout, d delivery.Digest) error {
	if !d.Valid() {
		return fmt.Errorf("invalid digest %q", d)
	}
	f, err := os.Open(l.BlobPath(d))
	if err != nil {
		return err
	}
	defer f.Close()
	got, _, err := delivery.DigestReader(f)
	if err != nil {
		return err
	}
	if got != d {
		return fmt.Errorf("blob %s has other content", d)
	}
	return nil
}

func corruptImage(dir string, err error) error {
	kind := fault.Corrupt
	if errors.Is(err, fs.ErrPermission) {
		kind = fault.Unavailable
	}
	return fault.New(kind, "read the image in %s", dir).Cause(err).
		Hint("remove that folder and run it again to rebuild the image")
}

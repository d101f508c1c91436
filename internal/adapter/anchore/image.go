package anchore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// platform is an image for one processor.
type platform struct {
	digest delivery.Digest // of its manifest
	image  v1.Image
}

// platforms finds the image in the layout: itself, or all that an index of
// several platforms names. Every blob is what its digest says, or it is
// fault.Corrupt: what is looked at is what is pushed.
func platforms(dir string, d delivery.Digest) ([]platform, error) {
	if !d.Valid() {
		return nil, fault.New(fault.Internal, "scan: invalid digest %q", d)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, corruptImage(dir, err)
	}
	hash, err := v1.NewHash(string(d))
	if err != nil {
		return nil, corruptImage(dir, err)
	}
	if err := checkBlob(dir, hash); err != nil {
		return nil, corruptImage(dir, err)
	}
	top, err := index.IndexManifest()
	if err != nil {
		return nil, corruptImage(dir, err)
	}
	for _, m := range top.Manifests {
		if m.Digest != hash {
			continue
		}
		all, err := imagesBelow(dir, index, m)
		if err == nil && len(all) == 0 {
			err = errors.New("the index lists no image")
		}
		if err != nil {
			return nil, corruptImage(dir, err)
		}
		return all, nil
	}
	return nil, corruptImage(dir, fmt.Errorf("the layout does not list %s", d))
}

// imagesBelow is the image that a descriptor names, or those of an index.
func imagesBelow(dir string, parent v1.ImageIndex, m v1.Descriptor) ([]platform, error) {
	if err := checkBlob(dir, m.Digest); err != nil {
		return nil, err
	}
	if !m.MediaType.IsIndex() {
		if p := m.Platform; p != nil && p.OS == "unknown" {
			return nil, nil // an attestation that BuildKit puts beside the images
		}
		img, err := parent.Image(m.Digest)
		if err != nil {
			return nil, err
		}
		return []platform{{delivery.Digest(m.Digest.String()), img}}, checkBlobs(dir, img)
	}
	index, err := parent.ImageIndex(m.Digest)
	if err != nil {
		return nil, err
	}
	names, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var all []platform
	for _, one := range names.Manifests {
		if one.MediaType.IsIndex() {
			return nil, errors.New("an index within an index")
		}
		some, err := imagesBelow(dir, index, one)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func checkBlobs(dir string, img v1.Image) error {
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	for _, b := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if err := checkBlob(dir, b.Digest); err != nil {
			return err
		}
	}
	return nil
}

// checkBlob reads a blob of the layout and holds it against its name.
func checkBlob(dir string, h v1.Hash) error {
	if h.Algorithm != "sha256" {
		return fmt.Errorf("%s is not a SHA-256 digest", h)
	}
	f, err := os.Open(filepath.Join(dir, "blobs", h.Algorithm, h.Hex))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != h.Hex {
		return fmt.Errorf("blob %s has other content", h)
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

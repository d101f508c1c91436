package trivy

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// images returns the image in the layout, or all images of a multi-platform one.
func images(layout string, d delivery.Digest) ([]ocilayout.Image, error) {
	found, err := ocilayout.Layout(layout).Images(d)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "read the image in %s", layout).Cause(err).
			Hint("build it again: remove that folder, and run once more")
	}
	return found, nil
}

// isolate makes dir a layout that holds nothing but this image: which one of
// several trivy would take is not to be relied on.
func isolate(img ocilayout.Image, layout, dir string) error {
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}`, img.Raw)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.Symlink(filepath.Join(layout, "blobs"), filepath.Join(dir, "blobs"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ocilayout.MarkerFile), []byte(ocilayout.Marker), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ocilayout.IndexFile), []byte(index), 0o644)
	}
	if err != nil {
		return fault.New(fault.Exhausted, "lay the image out for trivy").Cause(err)
	}
	return nil
}

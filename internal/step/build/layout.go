package build

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// maxManifestBytes is how large a manifest or index may be, in bytes.
const maxManifestBytes = 4 << 20

// maxIndexDepth is how far indexes may be nested.
const maxIndexDepth = 3

// layoutComplete reports whether the layout lists the image and contains its
// manifest, byte for byte, and every blob that the manifest names, by size. For
// an image with several platforms it checks all of them.
func layoutComplete(layout string, d delivery.Digest) bool {
	if layout == "" || !d.Valid() {
		return false
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	raw, ok := readSmallFile(filepath.Join(layout, "index.json"))
	if !ok || json.Unmarshal(raw, &index) != nil {
		return false
	}
	if !slices.ContainsFunc(index.Manifests, func(m descriptor) bool { return m.Digest == d }) {
		return false
	}
	return manifestComplete(layout, d, maxIndexDepth)
}

func manifestComplete(layout string, d delivery.Digest, depth int) bool {
	var m struct {
		Config    *descriptor  `json:"config"`
		Layers    []descriptor `json:"layers"`
		Manifests []descriptor `json:"manifests"`
	}
	if !d.Valid() || depth == 0 {
		return false
	}
	raw, ok := readSmallFile(blobPath(layout, d))
	if !ok || fmt.Sprintf("sha256:%x", sha256.Sum256(raw)) != string(d) || json.Unmarshal(raw, &m) != nil {
		return false
	}
	if m.Config == nil && len(m.Manifests) == 0 {
		return false
	}
	parts := m.Layers
	if m.Config != nil {
		parts = append(parts, *m.Config)
	}
	for _, b := range parts {
		info, err := os.Stat(blobPath(layout, b.Digest))
		if !b.Digest.Valid() || err != nil || info.Size() != b.Size {
			return false
		}
	}
	for _, child := range m.Manifests {
		if !manifestComplete(layout, child.Digest, depth-1) {
			return false
		}
	}
	return true
}

func blobPath(layout string, d delivery.Digest) string {
	return filepath.Join(layout, "blobs", "sha256", d.Hex())
}

func readSmallFile(path string) ([]byte, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxManifestBytes {
		return nil, false
	}
	raw, err := os.ReadFile(path)
	return raw, err == nil
}

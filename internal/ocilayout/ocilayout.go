// Package ocilayout reads OCI image layouts: folders with an image or a
// multi-platform image, as the specification has them. It needs no library of a
// registry, and believes no blob whose content is not what its digest says.
package ocilayout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The files of a layout, and the media types of what indexes name.
const (
	IndexFile    = "index.json"
	MarkerFile   = "oci-layout"
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
	IndexType    = "application/vnd.oci.image.index.v1+json"
	dockerIndex  = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Marker is the content of MarkerFile.
const Marker = `{"imageLayoutVersion":"1.0.0"}`

const (
	maxManifest = 4 << 20 // bytes of a manifest, an index or an image's configuration
	maxDepth    = 3       // indexes within indexes
)

// Layout is the folder of an OCI image layout.
type Layout string

// Descriptor refers to a blob.
type Descriptor struct {
	MediaType string          `json:"mediaType"`
	Digest    delivery.Digest `json:"digest"`
	Size      int64           `json:"size"` // bytes
	Platform  *Platform       `json:"platform,omitempty"`
}

// Platform is what an image runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture,omitempty"`
}

// IsIndex reports whether d refers to an index rather than to an image.
func (d Descriptor) IsIndex() bool { return d.MediaType == IndexType || d.MediaType == dockerIndex }

// isAttestation reports whether d is one that BuildKit puts beside the images.
func (d Descriptor) isAttestation() bool { return d.Platform != nil && d.Platform.OS == "unknown" }

// Manifest is an image's (with Config and Layers), or an index (with Manifests).
type Manifest struct {
	MediaType string       `json:"mediaType"`
	Config    *Descriptor  `json:"config"`
	Layers    []Descriptor `json:"layers"`
	Manifests []Descriptor `json:"manifests"`
}

// Image is an image for one platform.
type Image struct {
	Descriptor Descriptor
	Raw        json.RawMessage // Descriptor as the index has it
	Manifest   Manifest
	Index      delivery.Digest // of the index that names it; "" if the layout does
}

// BlobsDir returns the folder of the blobs, which are named by Digest.Hex.
func (l Layout) BlobsDir() string { return filepath.Join(string(l), "blobs", "sha256") }

// BlobPath returns the file of a blob, whether or not it exists.
func (l Layout) BlobPath(d delivery.Digest) string { return filepath.Join(l.BlobsDir(), d.Hex()) }

// Contains reports whether the layout itself lists d: what an index names is not listed.
func (l Layout) Contains(d delivery.Digest) (bool, error) {
	raw, err := readSmall(filepath.Join(string(l), IndexFile))
	if err != nil {
		return false, err
	}
	var index Manifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return false, fmt.Errorf("%s: %w", IndexFile, err)
	}
	return slices.ContainsFunc(index.Manifests, func(m Descriptor) bool { return m.Digest == d }), nil
}

// ReadBlob reads a small blob, such as a manifest or an image's configuration.
func (l Layout) ReadBlob(d delivery.Digest) ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("invalid digest %q", d)
	}
	raw, err := readSmall(l.BlobPath(d))
	if err != nil {
		return nil, err
	}
	if delivery.DigestOf(raw) != d {
		return nil, fmt.Errorf("blob %s has other content", d.Short())
	}
	return raw, nil
}

// ReadManifest reads the manifest of an image, or an index.
func (l Layout) ReadManifest(d delivery.Digest) (Manifest, []byte, error) {
	raw, err := l.ReadBlob(d)
	if err != nil {
		return Manifest{}, nil, err
	}
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Manifest{}, nil, fmt.Errorf("manifest %s: %w", d.Short(), err)
	}
	return m, raw, nil
}

// Images returns the image with that digest, or all images of a multi-platform one,
// without attestations. Every manifest is read; the other blobs are not.
func (l Layout) Images(d delivery.Digest) ([]Image, error) {
	m, raw, err := l.ReadManifest(d)
	if err != nil {
		return nil, err
	}
	if m.Manifests == nil {
		top := Descriptor{MediaType: m.MediaType, Digest: d, Size: int64(len(raw))}
		if top.MediaType == "" {
			top.MediaType = ManifestType
		}
		own, err := json.Marshal(top)
		if err != nil {
			return nil, err
		}
		return []Image{{Descriptor: top, Raw: own, Manifest: m}}, m.checkImage()
	}
	var names struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &names); err != nil {
		return nil, err
	}
	var all []Image
	for i, child := range m.Manifests {
		if child.IsIndex() {
			return nil, errors.New("an index within an index")
		}
		if child.isAttestation() {
			continue
		}
		img, _, err := l.ReadManifest(child.Digest)
		if err == nil {
			err = img.checkImage()
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Image{Descriptor: child, Raw: names.Manifests[i], Manifest: img, Index: d})
	}
	if len(all) == 0 {
		return nil, errors.New("the index lists no image")
	}
	return all, nil
}

func (m Manifest) checkImage() error {
	if m.Config == nil || !m.Config.Digest.Valid() {
		return errors.New("the manifest is neither of an image nor an index")
	}
	return nil
}

// IsComplete reports whether the layout lists the image and holds all of it, for all
// platforms: manifests byte for byte, other blobs by their size.
func (l Layout) IsComplete(d delivery.Digest) bool {
	if l == "" || !d.Valid() {
		return false
	}
	listed, err := l.Contains(d)
	return err == nil && listed && l.holds(d, maxDepth)
}

// Replace moves the layout at partial to l. What was there goes afterwards: others may
// be reading it.
func (l Layout) Replace(partial string) error {
	former := partial + ".former"
	if err := os.RemoveAll(former); err != nil {
		return err
	}
	if err := os.Rename(string(l), former); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.Rename(partial, string(l)), os.RemoveAll(former))
}

func (l Layout) holds(d delivery.Digest, depth int) bool {
	m, _, err := l.ReadManifest(d)
	if depth == 0 || err != nil || m.Config == nil && len(m.Manifests) == 0 {
		return false
	}
	blobs := m.Layers
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, b := range blobs {
		if !b.Digest.Valid() {
			return false
		}
		if info, err := os.Stat(l.BlobPath(b.Digest)); err != nil || info.Size() != b.Size {
			return false
		}
	}
	for _, child := range m.Manifests {
		if !l.holds(child.Digest, depth-1) {
			return false
		}
	}
	return true
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxManifest:
		return nil, fmt.Errorf("%s has %d bytes (at most %d)", path, info.Size(), maxManifest)
	}
	return os.ReadFile(path)
}

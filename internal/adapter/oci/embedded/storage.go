package embedded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The layout on the disk is the library's, and stable since its second version; a
// test holds it.

// abandonedAfter is how long an upload has had no write when it counts as abandoned:
// its writer was killed.
const abandonedAfter = time.Hour

func (r *Registry) repositoryDir(path string) string {
	return filepath.Join(r.dir, "docker", "registry", "v2", "repositories", filepath.FromSlash(path))
}

func (r *Registry) uploadsDir(path string) string {
	return filepath.Join(r.repositoryDir(path), "_uploads")
}

// BlobFile is where the content of that digest is, if it is there.
func (r *Registry) BlobFile(d delivery.Digest) string {
	return filepath.Join(r.dir, "docker", "registry", "v2", "blobs", "sha256", d.Hex()[:2], d.Hex(), "data")
}

// IsComplete reports whether everything below the manifest exists in full length.
// Damage to the content itself shows when it is read.
func (r *Registry) IsComplete(d delivery.Digest) bool {
	raw, err := os.ReadFile(r.BlobFile(d))
	if err != nil {
		return false
	}
	var m struct {
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	blobs := append([]v1.Descriptor{}, m.Layers...)
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, b := range append(blobs, m.Manifests...) {
		if !r.HasBlob(b) {
			return false
		}
	}
	for _, child := range m.Manifests {
		if !r.IsComplete(delivery.Digest(child.Digest.String())) {
			return false
		}
	}
	return true
}

// HasBlob reports whether the blob exists in full length.
func (r *Registry) HasBlob(b v1.Descriptor) bool {
	d := delivery.Digest(b.Digest.String())
	if !d.Valid() {
		return false
	}
	info, err := os.Stat(r.BlobFile(d))
	return err == nil && info.Size() == b.Size
}

// RemoveDamagedBlob removes a blob that was truncated or grew, so that it is uploaded
// again: the library only checks whether there is one.
func (r *Registry) RemoveDamagedBlob(b v1.Descriptor) {
	if d := delivery.Digest(b.Digest.String()); d.Valid() {
		if info, err := os.Stat(r.BlobFile(d)); err == nil && info.Size() != b.Size {
			r.RemoveBlob(b)
		}
	}
}

// RemoveBlob removes a blob, if it exists.
func (r *Registry) RemoveBlob(b v1.Descriptor) {
	if d := delivery.Digest(b.Digest.String()); d.Valid() {
		_ = os.Remove(r.BlobFile(d))
	}
}

// RemoveAbandonedUploads removes uploads into the repository whose writer was killed.
func (r *Registry) RemoveAbandonedUploads(path string, now time.Time) {
	entries, _ := os.ReadDir(r.uploadsDir(path)) // no uploads are fine
	for _, entry := range entries {
		upload := filepath.Join(r.uploadsDir(path), entry.Name())
		last, err := os.Stat(filepath.Join(upload, "data"))
		if err != nil {
			last, err = entry.Info()
		}
		if err == nil && now.Sub(last.ModTime()) > abandonedAfter {
			_ = os.RemoveAll(upload)
		}
	}
}

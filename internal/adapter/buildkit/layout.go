package buildkit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// layout is at work on one image.
type layout struct {
	ctx    context.Context //nolint:containedctx // it lives as long as one call
	store  *store
	dir    string
	origin origin
	kept   map[delivery.Digest]int64 // blobs of the image, with their sizes in bytes
}

// manifest is an image's, or an index.
type manifest struct {
	MediaType string                `json:"mediaType"`
	Manifests []ocispecs.Descriptor `json:"manifests"`
	Config    *ocispecs.Descriptor  `json:"config"`
	Layers    []ocispecs.Descriptor `json:"layers"`
}

// patchJSON replaces keys of a JSON object, and adds to the texts at key texts. What
// it does not know stays.
func patchJSON(raw []byte, keys map[string]any, texts string, more map[string]string) ([]byte, error) {
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	if texts != "" {
		all := map[string]string{}
		if old, ok := object[texts]; ok {
			if err := json.Unmarshal(old, &all); err != nil {
				return nil, err
			}
		}
		if all == nil { // it was null
			all = map[string]string{}
		}
		maps.Copy(all, more)
		value, err := json.Marshal(all)
		if err != nil {
			return nil, err
		}
		object[texts] = value
	}
	for key, v := range keys {
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		object[key] = value
	}
	return json.Marshal(object) // its keys are sorted
}

// writeBlob puts a blob beside the others and describes it.
func (l layout) writeBlob(d ocispecs.Descriptor, raw []byte) (ocispecs.Descriptor, error) {
	sum := delivery.DigestOf(raw)
	// Not in place: a file of that name may be a link to a blob of another image.
	if err := atomicfile.Write(l.blob(sum), raw, 0o644); err != nil {
		return d, err
	}
	l.kept[sum] = int64(len(raw))
	d.Digest, d.Size, d.Annotations = digest.Digest(sum), int64(len(raw)), nil
	return d, nil
}

// checkSize makes sure that a layer is there in full length; who wrote it held it
// against its digest.
func (l layout) checkSize(d ocispecs.Descriptor) error {
	info, err := os.Stat(l.blob(delivery.Digest(d.Digest)))
	if err != nil {
		return fmt.Errorf("find layer %s: %w", d.Digest, err)
	}
	if info.Size() != d.Size {
		return fmt.Errorf("layer %s has %d bytes instead of %d", d.Digest, info.Size(), d.Size)
	}
	return nil
}

func (l layout) writeJSON(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, name), raw, 0o644)
}

// removeUnused removes what is not of the image: the manifests as BuildKit wrote them,
// and the store's working folder.
func (l layout) removeUnused() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != "blobs" && name != "index.json" && name != ocispecs.ImageLayoutFile {
			if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
				return err
			}
		}
	}
	blobs, err := os.ReadDir(filepath.Join(l.dir, "blobs", "sha256"))
	if err != nil {
		return err
	}
	for _, e := range blobs {
		if _, ours := l.kept[delivery.DigestFromHex(e.Name())]; !ours {
			if err := os.Remove(filepath.Join(l.dir, "blobs", "sha256", e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l layout) blob(d delivery.Digest) string {
	return ocilayout.Layout(l.dir).BlobPath(d)
}

package trivy

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// mostManifest is how large a manifest or index may be, in bytes.
const mostManifest = 4 << 20

// manifest is the image of one platform.
type manifest struct {
	descriptor json.RawMessage // as an index names it
	config     delivery.Digest
}

type descriptor struct {
	MediaType string               `json:"mediaType"`
	Digest    delivery.Digest      `json:"digest"`
	Size      int64                `json:"size"`
	Platform  *struct{ OS string } `json:"platform,omitempty"`
}

// images finds the image in the layout: itself, or all that an index of several
// platforms names.
func images(layout string, d delivery.Digest) ([]manifest, error) {
	found, err := under(layout, d)
	if err == nil && len(found) == 0 {
		err = errors.New("the index names no image")
	}
	if err != nil {
		return nil, fault.New(fault.Corrupt, "read the image in %s", layout).Cause(err).
			Hint("build it again: remove that folder, and run once more")
	}
	return found, nil
}

func under(layout string, d delivery.Digest) ([]manifest, error) {
	raw, err := blob(layout, d)
	if err != nil {
		return nil, err
	}
	var doc struct {
		MediaType string            `json:"mediaType"`
		Config    descriptor        `json:"config"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	if doc.Manifests == nil {
		if !doc.Config.Digest.Valid() {
			return nil, errors.New("it is neither an image nor an index")
		}
		as := doc.MediaType
		if as == "" {
			as = "application/vnd.oci.image.manifest.v1+json"
		}
		own, err := json.Marshal(descriptor{MediaType: as, Digest: d, Size: int64(len(raw))})
		return []manifest{{own, doc.Config.Digest}}, err
	}
	var all []manifest
	for _, m := range doc.Manifests {
		var one descriptor
		if err := json.Unmarshal(m, &one); err != nil {
			return nil, err
		}
		switch {
		case strings.Contains(one.MediaType, "index") || strings.Contains(one.MediaType, "manifest.list"):
			return nil, errors.New("an index within an index")
		case one.Platform != nil && one.Platform.OS == "unknown":
			continue // an attestation that BuildKit puts beside the images
		}
		some, err := under(layout, one.Digest)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// blob reads a small blob, which has to be what its digest says.
func blob(layout string, d delivery.Digest) ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("%q is not a valid digest", d)
	}
	path := filepath.Join(layout, "blobs", "sha256", d.Hex())
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > mostManifest {
		return nil, fmt.Errorf("blob %s is too large for a manifest", d.Short())
	}
	raw, err := os.ReadFile(path)
	if err == nil && fmt.Sprintf("sha256:%x", sha256.Sum256(raw)) != string(d) {
		err = fmt.Errorf("blob %s has other content", d.Short())
	}
	return raw, err
}

// alone makes dir a layout that holds nothing but this image: which one of
// several trivy would take is not to be relied on.
func (m manifest) alone(layout, dir string) error {
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}`, m.descriptor)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.Symlink(filepath.Join(layout, "blobs"), filepath.Join(dir, "blobs"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "index.json"), []byte(index), 0o644)
	}
	if err != nil {
		return fault.New(fault.Exhausted, "lay the image out for trivy").Cause(err)
	}
	return nil
}

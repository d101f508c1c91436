package ocilayout

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// WriteArchive writes the image with that digest as one file that docker, podman and nerdctl
// load under the name: the layout, and for an image of one platform the index of
// `docker save`, too. The same image and name give the same bytes.
func (l Layout) WriteArchive(w io.Writer, d delivery.Digest, name string) error {
	images, err := l.Images(d)
	if err != nil {
		return err
	}
	_, top, err := l.ReadManifest(d)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := writeFile(out, MarkerFile, []byte(Marker)); err != nil {
		return err
	}
	blobs := []delivery.Digest{d}
	mediaType := ManifestType
	if images[0].Index != "" {
		mediaType = IndexType
	}
	for _, img := range images {
		blobs = append(blobs, img.Descriptor.Digest, img.Manifest.Config.Digest)
		for _, layer := range img.Manifest.Layers {
			blobs = append(blobs, layer.Digest)
		}
	}
	index := map[string]any{"schemaVersion": 2, "mediaType": IndexType, "manifests": []any{map[string]any{
		"mediaType": mediaType, "digest": d, "size": len(top),
		"annotations": map[string]string{"io.containerd.image.name": "docker.io/library/" + name, "org.opencontainers.image.ref.name": tagOf(name)},
	}}}
	if err := writeJSON(out, IndexFile, index); err != nil {
		return err
	}
	if len(images) == 1 && images[0].Index == "" {
		if err := writeJSON(out, "manifest.json", dockerIndexOf(images[0], name)); err != nil {
			return err
		}
	}
	slices.Sort(blobs)
	for _, b := range slices.Compact(blobs) {
		if err := l.writeBlob(out, b); err != nil {
			return err
		}
	}
	return out.Close()
}

// dockerIndexOf is manifest.json of `docker save`.
func dockerIndexOf(img Image, name string) any {
	layers := []string{}
	for _, layer := range img.Manifest.Layers {
		layers = append(layers, blobName(layer.Digest))
	}
	return []any{map[string]any{"Config": blobName(img.Manifest.Config.Digest), "RepoTags": []string{name}, "Layers": layers}}
}

func blobName(d delivery.Digest) string { return "blobs/sha256/" + d.Hex() }

func tagOf(name string) string {
	for i := len(name) - 1; i >= 0 && name[i] != '/'; i-- {
		if name[i] == ':' {
			return name[i+1:]
		}
	}
	return name
}

func writeJSON(out *tar.Writer, name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFile(out, name, raw)
}

func writeFile(out *tar.Writer, name string, data []byte) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := out.Write(data)
	return err
}

func (l Layout) writeBlob(out *tar.Writer, d delivery.Digest) error {
	f, err := os.Open(filepath.Clean(l.BlobPath(d)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: blobName(d), Mode: 0o644, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	if _, err := io.Copy(out, f); err != nil {
		return fmt.Errorf("blob %s: %w", d.Short(), err)
	}
	return nil
}

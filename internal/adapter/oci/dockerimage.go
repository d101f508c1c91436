package oci

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.DockerConverter = (*Registry)(nil)

// What services that read Docker images only run. Source: SageMaker's documentation.
const (
	dockerOS   = "linux"
	dockerArch = "amd64"
)

// ToDocker makes the layout's image for linux/amd64 one of Docker's schema 2 with gzip
// layers, in the same layout, which lists it alone afterwards. Layers that are compressed
// stay as they are.
func (r *Registry) ToDocker(ctx context.Context, built port.BuiltImage) (port.BuiltImage, error) {
	act := "convert sha256:" + built.Digest.Short() + " to Docker's format"
	l := ocilayout.Layout(built.Layout)
	images, err := l.Images(built.Digest)
	if err != nil {
		return built, fault.New(fault.Corrupt, "%s", act).Cause(err).Hint("build the image again")
	}
	for _, image := range images {
		ok, err := isDockerPlatform(l, image)
		if err != nil {
			return built, fault.New(fault.Corrupt, "%s", act).Cause(err).Hint("build the image again")
		}
		if !ok {
			continue
		}
		c := dockerConversion{ctx: ctx, layout: l}
		converted, err := c.convert(image)
		if err != nil {
			return built, c.explain(act, err)
		}
		return port.BuiltImage{Digest: converted, Size: c.size, Layout: built.Layout, Bases: built.Bases}, nil
	}
	return built, fault.New(fault.Invalid, "%s: it is not for %s/%s", act, dockerOS, dockerArch).
		Hint("SageMaker runs images for linux/amd64 only: build there, or with a Dockerfile and platforms: [linux/amd64]")
}

func isDockerPlatform(l ocilayout.Layout, image ocilayout.Image) (bool, error) {
	raw, err := l.ReadBlob(image.Manifest.Config.Digest)
	if err != nil {
		return false, err
	}
	var config v1.ConfigFile
	err = json.Unmarshal(raw, &config)
	return cmp.Or(config.OS, dockerOS) == dockerOS && config.Architecture == dockerArch, err
}

// dockerConversion is one image on its way into Docker's format.
type dockerConversion struct {
	ctx    context.Context
	layout ocilayout.Layout
	size   int64 // of all blobs so far
}

func (c *dockerConversion) explain(act string, err error) error {
	var own *fault.Error
	switch {
	case c.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", act, context.Cause(c.ctx))
	case errors.As(err, &own):
		return fault.Prefix(act, err)
	case isNoSpace(err):
		return diskFull(act, string(c.layout), "the image", 0, err)
	}
	return fault.New(fault.FileKind(err), "%s", act).Cause(err)
}

func (c *dockerConversion) convert(image ocilayout.Image) (delivery.Digest, error) {
	config := image.Manifest.Config
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.DockerManifestSchema2, Config: v1.Descriptor{
		MediaType: types.DockerConfigJSON, Size: config.Size, Digest: v1Hash(config.Digest),
	}}
	c.size += config.Size
	for _, layer := range image.Manifest.Layers {
		d, err := c.layer(layer)
		if err != nil {
			return "", err
		}
		c.size += d.Size
		m.Layers = append(m.Layers, d)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	c.size += int64(len(raw))
	digest := delivery.DigestOf(raw)
	if err := atomicfile.Write(c.layout.BlobPath(digest), raw, 0o644); err != nil {
		return "", err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{
		{MediaType: types.DockerManifestSchema2, Size: int64(len(raw)), Digest: v1Hash(digest)},
	}})
	if err != nil {
		return "", err
	}
	return digest, atomicfile.Write(filepath.Join(string(c.layout), ocilayout.IndexFile), index, 0o644)
}

// layer returns a layer as Docker has it, and compresses one that is not.
func (c *dockerConversion) layer(l ocilayout.Descriptor) (v1.Descriptor, error) {
	d := v1.Descriptor{MediaType: types.DockerLayer, Size: l.Size, Digest: v1Hash(l.Digest)}
	switch kind := types.MediaType(l.MediaType); {
	case kind == types.DockerLayer, kind == types.OCILayer:
		return d, nil
	case kind == types.OCIUncompressedLayer, kind == types.DockerUncompressedLayer:
		var err error
		d.Digest, d.Size, err = c.compress(l)
		return d, err
	case strings.HasSuffix(l.MediaType, "+zstd"):
		return d, fault.New(fault.Invalid, "layer %s is compressed by zstd, which Docker's format can't have", l.Digest.Short()).Hint("use a base image with gzip layers")
	}
	return d, fault.New(fault.Invalid, "layer %s is a %s, which Docker's format can't have", l.Digest.Short(), l.MediaType)
}

// compress writes the layer's gzip form beside it. Its bytes depend on the layer and on
// the version of this program only: the header has neither a name nor a time.
func (c *dockerConversion) compress(l ocilayout.Descriptor) (digest v1.Hash, size int64, err error) {
	in, err := os.Open(c.layout.BlobPath(l.Digest))
	if err != nil {
		return digest, 0, err
	}
	defer in.Close()
	out, err := os.CreateTemp(c.layout.BlobsDir(), ".gzip-*")
	if err != nil {
		return digest, 0, err
	}
	defer func() { _ = os.Remove(out.Name()) }() // renamed, where all went well
	sum, plain := sha256.New(), sha256.New()
	counted := &countingWriter{to: io.MultiWriter(out, sum)}
	packed := gzip.NewWriter(counted)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(packed, plain)}, blob.ContextReader(c.ctx, in), make([]byte, 1<<20))
	err = errors.Join(err, packed.Close(), out.Chmod(0o644), out.Close())
	if err == nil && (n != l.Size || digestOf(plain) != l.Digest) {
		err = fault.New(fault.Corrupt, "layer %s in the OCI layout has other content", l.Digest.Short()).Hint("build the image again")
	}
	if err != nil {
		return digest, 0, err
	}
	own := digestOf(sum)
	return v1Hash(own), counted.n, os.Rename(out.Name(), c.layout.BlobPath(own))
}

func digestOf(sum hash.Hash) delivery.Digest {
	return delivery.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
}

// countingWriter counts what is written.
type countingWriter struct {
	to io.Writer
	n  int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	w.n += int64(n)
	return n, err
}

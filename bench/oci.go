package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// serveRegistry serves an empty registry on a loopback address.
func (b *bench) serveRegistry(name string) (address string, stop func(), err error) {
	r, err := embedded.Open(filepath.Join(b.work, name))
	if err != nil {
		return "", nil, err
	}
	server := httptest.NewServer(r.Handler())
	return server.Listener.Addr().String(), func() {
		server.Close()
		if err := r.Close(); err != nil {
			fmt.Fprintln(b.log, "bench:", err)
		}
	}, nil
}

// layer returns a layer with the files, compressed at the given level.
func layer(level int, files map[string][]byte, order []string) (v1.Layer, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, level)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, name := range order {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// image returns an image of these layers for this machine's platform.
func image(c v1.Config, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}, Config: c})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(img, layers...)
}

// writeLayout makes the image the only one of the OCI layout in dir; existing blobs
// are kept.
func writeLayout(dir string, img v1.Image) (delivery.Digest, error) {
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", err
	}
	if err := at.AppendImage(img); err != nil {
		return "", err
	}
	d, err := img.Digest()
	return delivery.Digest(d.String()), err
}

// readLayout returns the only image of the OCI layout in dir.
func readLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds %d images, want 1", dir, len(m.Manifests))
	}
	return index.Image(m.Manifests[0].Digest)
}

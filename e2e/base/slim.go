//go:build linux

package base

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// spared are the parts of the image that a service of the standard library does not need.
var spared = []string{
	"usr/bin/perl", "usr/lib/x86_64-linux-gnu/perl", "usr/share/", "usr/lib/python3/", "usr/lib/x86_64-linux-gnu/gconv/",
	"var/lib/dpkg/", "var/lib/apt/", "var/cache/", "usr/lib/apt/", "usr/lib/x86_64-linux-gnu/libperl", "usr/lib/x86_64-linux-gnu/libapt",
	"usr/lib/python3.11/test/", "usr/lib/python3.11/pydoc_data/", "usr/lib/python3.11/lib2to3/", "usr/lib/python3.11/distutils/", "usr/lib/python3.11/ensurepip/",
}

// Slim returns the image with Python and its standard library, without pip and Debian's
// tools: a fraction of the bytes, for tests that install nothing.
func Slim(img v1.Image) (v1.Image, error) {
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		return nil, fmt.Errorf("slim the image: %d layers: %w", len(layers), err)
	}
	full, err := layers[0].Uncompressed()
	if err != nil {
		return nil, err
	}
	defer full.Close()
	var kept bytes.Buffer
	if err := copyNeeded(&kept, full); err != nil {
		return nil, fmt.Errorf("slim the image: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	slim, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	own, err := slim.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.RootFS, config.History = own.RootFS, own.History
	return mutate.ConfigFile(slim, config)
}

func copyNeeded(w io.Writer, full io.Reader) error {
	in, out := tar.NewReader(full), tar.NewWriter(w)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "./")
		if slices.ContainsFunc(spared, func(p string) bool { return strings.HasPrefix(name, p) && name != p }) || strings.Contains(name, "/__pycache__/") {
			continue
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

package oci

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Limits of what a registry returns besides blobs, and of what an image consists of. The
// largest images and models that people deploy have a tenth of it, or less.
const (
	maxResponse    = 8 << 20   // bytes of a manifest, a list or a token
	maxImageConfig = 8 << 20   // bytes of an image's configuration
	maxLayers      = 1000      // of an image; Docker builds 127 at most
	maxEntries     = 2_000_000 // of all layers
	maxEntryName   = 4 << 10   // bytes; the kernel opens no longer path
	maxNameBytes   = 256 << 20 // of all entries, which are kept in memory
	maxImageBytes  = 256 << 30 // of all files in all layers
	maxRatio       = 200       // unpacked bytes for each of a layer, once they are minRatioBytes
	minRatioBytes  = 1 << 30
	maxModelBytes  = 4 << 40 // of all files of a model
)

// limitedResponses is a connection to a registry from which nothing but blobs is read
// beyond maxResponse. The sizes of blobs are in manifests.
type limitedResponses struct{ next http.RoundTripper }

func (l limitedResponses) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err != nil || isBlob(req, resp) {
		return resp, err
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, path: req.URL.Path, left: maxResponse}
	return resp, nil
}

// isBlob reports whether the response is a blob, from the registry or from where it
// redirects to.
func isBlob(req *http.Request, resp *http.Response) bool {
	for at := req; at != nil; {
		if strings.Contains(at.URL.Path, "/blobs/") {
			return resp.StatusCode < 300
		}
		if at.Response == nil {
			return false
		}
		at = at.Response.Request
	}
	return false
}

type limitedBody struct {
	io.ReadCloser
	path string
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, b.tooLong()
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, b.tooLong()
	}
	return n, err
}

func (b *limitedBody) tooLong() error {
	return fmt.Errorf("the response for %.200q has more than %d bytes", b.path, int64(maxResponse))
}

// checkImage reports what of the image's manifest is beyond the limits.
func checkImage(img v1.Image) error {
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	switch {
	case m.Config.Size > maxImageConfig:
		return &entryError{err: fmt.Errorf("the image's configuration has %d bytes, more than %d", m.Config.Size, int64(maxImageConfig))}
	case len(m.Layers) > maxLayers:
		return &entryError{err: fmt.Errorf("the image has %d layers, more than %d", len(m.Layers), maxLayers)}
	}
	return nil
}

// unpackBudget is what the layers of one image may take.
type unpackBudget struct {
	entries   int
	nameBytes int64
	bytes     int64
}

func newUnpackBudget() unpackBudget { return unpackBudget{maxEntries, maxNameBytes, maxImageBytes} }

// take counts an entry, and reports what of it is beyond the limits.
func (b *unpackBudget) take(name, link string, size int64) error {
	b.entries--
	b.nameBytes -= int64(len(name) + len(link))
	b.bytes -= size
	switch {
	case len(name) > maxEntryName || len(link) > maxEntryName:
		return fmt.Errorf("its name or link has more than %d bytes", maxEntryName)
	case b.entries < 0:
		return fmt.Errorf("the image has more than %d entries", maxEntries)
	case b.nameBytes < 0:
		return fmt.Errorf("the names in the image have more than %d bytes in all", int64(maxNameBytes))
	case size < 0 || b.bytes < 0:
		return fmt.Errorf("the files of the image have more than %d bytes in all", int64(maxImageBytes))
	}
	return nil
}

// ratioReader ends what expands to far more than it is.
type ratioReader struct {
	io.Reader
	packed *countingReader
	n      int64
}

func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.n += int64(n); r.n > minRatioBytes && r.n/maxRatio > r.packed.n {
		return 0, fmt.Errorf("%d bytes of it unpack to more than %d times as many", r.packed.n, maxRatio)
	}
	return n, err
}

type countingReader struct {
	io.Reader
	n int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += int64(n)
	return n, err
}

// modelSize returns the size of a model's files, if it is within the limit.
func modelSize(files map[string]v1.Descriptor) (sum int64, err error) {
	for _, f := range files {
		if f.Size < 0 || f.Size > maxModelBytes-sum {
			return 0, fmt.Errorf("its files have more than %d bytes in all", int64(maxModelBytes))
		}
		sum += f.Size
	}
	return sum, nil
}

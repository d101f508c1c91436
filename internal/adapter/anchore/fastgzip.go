package anchore

import (
	"errors"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
)

// fastGzipImage is an image whose layers are unpacked by a faster reader of gzip:
// unpacking is most of the time that a new image takes.
type fastGzipImage struct{ v1.Image }

// Layers are the image's.
func (q fastGzipImage) Layers() ([]v1.Layer, error) {
	layers, err := q.Image.Layers()
	out := make([]v1.Layer, len(layers))
	for i, l := range layers {
		out[i] = fastGzipLayer{l}
	}
	return out, err
}

type fastGzipLayer struct{ v1.Layer }

// Uncompressed unpacks gzip, and leaves every other form to the library.
func (l fastGzipLayer) Uncompressed() (io.ReadCloser, error) {
	form, err := l.MediaType()
	if err != nil || !strings.HasSuffix(string(form), "gzip") {
		return l.Layer.Uncompressed()
	}
	packed, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return nil, errors.Join(err, packed.Close())
	}
	return gzipReadCloser{plain, packed}, nil
}

// gzipReadCloser closes both of its ends.
type gzipReadCloser struct {
	*gzip.Reader
	packed io.Closer
}

// Close ends the reading.
func (u gzipReadCloser) Close() error { return errors.Join(u.Reader.Close(), u.packed.Close()) }

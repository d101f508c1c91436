package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// tarLayer is a layer that is made anew whenever it is read, so that a model of
// any size needs neither memory nor a second place on the disk.
//
// It is not compressed. The bytes then depend on the content only, and not on
// some version of a compressor, and a model is packed as fast as it is read: of
// weights (float32) gzip saves 7 %, at a seventh of the speed of the digest with
// its fastest level. Models in JSON would shrink to a quarter, but are small.
type tarLayer struct {
	entries []tarEntry
	digest  v1.Hash
	size    int64
}

// tarEntry is a regular file, or a folder if it has no content.
type tarEntry struct {
	name  string
	title string // for errors
	mode  int64
	size  int64
	open  func() (io.ReadCloser, error)

	head []byte
}

func dirEntry(name string) tarEntry { return tarEntry{name: name + "/", title: name, mode: 0o755} }

// newTarLayer reads all content once, for the digest. An *entryError names the
// file that could not be read.
func newTarLayer(entries ...tarEntry) (*tarLayer, error) {
	l := &tarLayer{entries: entries}
	for i := range entries {
		var err error
		if entries[i].head, err = entries[i].header(); err != nil {
			return nil, &entryError{entries[i].title, err}
		}
	}
	all, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	defer all.Close()
	d, n, err := delivery.DigestReader(all)
	if err != nil {
		return nil, err
	}
	l.digest, l.size = v1Hash(d), n
	return l, nil
}

// header returns what precedes the content: the same for the same entry, without
// time and owner.
func (e tarEntry) header() ([]byte, error) {
	h := &tar.Header{Name: e.name, Mode: e.mode, Size: e.size, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if e.open == nil {
		h.Typeflag = tar.TypeDir
	}
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(h)
	return b.Bytes(), err
}

// Digest and the methods below make it a layer.
func (l *tarLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *tarLayer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l *tarLayer) Size() (int64, error)                 { return l.size, nil }
func (l *tarLayer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (l *tarLayer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l *tarLayer) Compressed() (io.ReadCloser, error) {
	const block = 512
	s := &tarStream{}
	var all []io.Reader
	for _, e := range l.entries {
		all = append(all, bytes.NewReader(e.head))
		if e.open != nil {
			all = append(all, &lazyFile{e: e, stream: s}, bytes.NewReader(make([]byte, -e.size&(block-1))))
		}
	}
	s.Reader = io.MultiReader(append(all, bytes.NewReader(make([]byte, 2*block)))...)
	return s, nil
}

// tarStream is an archive that is being read; at most one file is open.
type tarStream struct {
	io.Reader
	current io.Closer
}

// Close closes the file at which reading stopped.
func (s *tarStream) Close() error {
	if s.current == nil {
		return nil
	}
	err := s.current.Close()
	s.current = nil
	return err
}

// lazyFile is opened at the first read and closed at its end.
type lazyFile struct {
	e      tarEntry
	stream *tarStream
	body   io.ReadCloser
	n      int64
}

func (f *lazyFile) Read(b []byte) (int, error) {
	if f.body == nil {
		body, err := f.e.open()
		if err != nil {
			return 0, &entryError{f.e.title, err}
		}
		f.body, f.stream.current = body, body
	}
	n, err := f.body.Read(b)
	f.n += int64(n)
	if errors.Is(err, io.EOF) && f.n == f.e.size {
		if err := f.stream.Close(); err != nil {
			return n, &entryError{f.e.title, err}
		}
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) || f.n > f.e.size {
		err = fmt.Errorf(mismatchPrefix+" size; got %d, want %d", f.n, f.e.size)
	}
	if err != nil {
		return n, &entryError{f.e.title, err}
	}
	return n, nil
}

package buildkit

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/pgzip"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// imageVersion counts changes of what this package does to an image. It is part
// of the fingerprint.
const imageVersion = 2

// normalizedLayer is a layer in its final form: no file in it is younger than the image's
// file time, and it is compressed by us, so that the bytes are the same whatever
// BuildKit it came from. BuildKit can do the first itself (rewrite-timestamp), but
// does it again for every layer in every build; we remember.
type normalizedLayer struct {
	Digest delivery.Digest `json:"digest"`
	Size   int64           `json:"size"`    // bytes
	DiffID delivery.Digest `json:"diff_id"` // of the archive
}

// normalizeLayer makes the layer in the file from, and puts it into the folder of blobs.
func normalizeLayer(ctx context.Context, from, blobs string, latest time.Time) (p normalizedLayer, err error) {
	in, err := os.Open(from)
	if err != nil {
		return p, err
	}
	defer in.Close()
	plain, err := blob.Decompress(bufio.NewReaderSize(blob.ContextReader(ctx, in), 256<<10))
	if err != nil {
		return p, err
	}
	defer plain.Close()
	out, err := os.CreateTemp(blobs, "layer-*.new")
	if err != nil {
		return p, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	packed, archive := &hashingWriter{next: out, hash: sha256.New()}, &hashingWriter{hash: sha256.New()}
	zip, err := pgzip.NewWriterLevel(packed, pgzip.DefaultCompression) // its bytes depend on no number of processors
	if err != nil {
		return p, err
	}
	defer func() { _ = zip.Close() }() // it has goroutines of its own
	archive.next = zip
	if err := clampTimes(plain, archive, latest); err != nil {
		return p, err
	}
	if err := errors.Join(zip.Close(), out.Chmod(0o644), out.Close()); err != nil {
		return p, err
	}
	p = normalizedLayer{Digest: packed.digest(), Size: packed.bytes, DiffID: archive.digest()}
	return p, os.Rename(out.Name(), filepath.Join(blobs, p.Digest.Hex()))
}

// clampTimes copies an archive; times after latest become latest.
func clampTimes(from io.Reader, to io.Writer, latest time.Time) error {
	r, w := tar.NewReader(from), tar.NewWriter(to)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		for _, at := range []*time.Time{&h.ModTime, &h.AccessTime, &h.ChangeTime} {
			if at.After(latest) {
				*at = latest
			}
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil { //nolint:gosec // it goes to the disk as it comes; the build could fill that, too
			return err
		}
	}
}

// hashingWriter counts and digests what goes through.
type hashingWriter struct {
	next  io.Writer
	hash  hash.Hash
	bytes int64
}

func (s *hashingWriter) Write(p []byte) (int, error) {
	n, err := s.next.Write(p)
	s.hash.Write(p[:n])
	s.bytes += int64(n)
	return n, err
}

func (s *hashingWriter) digest() delivery.Digest {
	return delivery.DigestFromHash(s.hash)
}

// layerCacheAge is how long a layer that no build uses any more is remembered.
const layerCacheAge = 60 * 24 * time.Hour

// layerCache remembers what layers became, by a small file for each. Losing one costs
// time alone.
type layerCache struct {
	dir    string // "": nothing is remembered
	latest time.Time
}

func (m layerCache) file(original delivery.Digest) string {
	return filepath.Join(m.dir, fmt.Sprintf("%s-%d-%d", original.Hex(), m.latest.Unix(), imageVersion))
}

func (m layerCache) lookup(original delivery.Digest) (p normalizedLayer, ok bool) {
	if m.dir == "" || !original.Valid() {
		return p, false
	}
	raw, err := os.ReadFile(m.file(original))
	if err != nil || json.Unmarshal(raw, &p) != nil || !p.Digest.Valid() || !p.DiffID.Valid() {
		return normalizedLayer{}, false
	}
	now := time.Now()
	_ = os.Chtimes(m.file(original), now, now) // it was of use
	return p, true
}

func (m layerCache) store(original delivery.Digest, p normalizedLayer) {
	raw, err := json.Marshal(p)
	if err != nil || m.dir == "" || os.MkdirAll(m.dir, 0o700) != nil {
		return
	}
	if atomicfile.Write(m.file(original), raw, 0o600) != nil {
		return
	}
	old, _ := filepath.Glob(filepath.Join(m.dir, "*")) // none is fine
	for _, file := range old {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > layerCacheAge {
			_ = os.Remove(file)
		}
	}
}

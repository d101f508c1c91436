package buildkit

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// store takes the image's blobs from BuildKit into a layout. A blob that another
// layout beside it has, in the form that it gets here, is linked instead of sent:
// of a large image, only what changed is moved.
type store struct {
	content.Store
	dir      string // the layout
	siblings string // folder of the others
	cache    layerCache

	mu     sync.Mutex
	reused map[delivery.Digest]normalizedLayer // layers that were not sent, by what BuildKit calls them
}

func newStore(dir, beside string, m layerCache) (*store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	s, err := local.NewStore(dir)
	if err != nil {
		return nil, err
	}
	return &store{Store: s, dir: dir, siblings: beside, cache: m, reused: map[delivery.Digest]normalizedLayer{}}, nil
}

// Info is asked before a blob is sent.
func (s *store) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if p, ok := s.reuse(d, 0); ok {
		return content.Info{Digest: d, Size: p.Size}, nil
	}
	return s.Store.Info(ctx, d)
}

// Writer answers that a blob is there if it could be borrowed.
func (s *store) Writer(_ context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, set := range opts {
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	if _, ok := s.reuse(o.Desc.Digest, o.Desc.Size); ok {
		return nil, errdefs.ErrAlreadyExists
	}
	return s.newBlobWriter(o)
}

// Abort has nothing to do: a writer that is closed leaves nothing.
func (s *store) Abort(context.Context, string) error { return nil }

// reuse borrows what a layer became before, or else the blob itself; size in
// bytes, 0: not known.
func (s *store) reuse(d digest.Digest, size int64) (normalizedLayer, bool) {
	original := delivery.Digest(d)
	if p, ok := s.cache.lookup(original); ok && s.linkBlob(p.Digest, p.Size) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reused[original] = p
		return p, true
	}
	s.linkBlob(original, size)
	return normalizedLayer{}, false
}

// reusedLayer returns what a layer that was not sent became.
func (s *store) reusedLayer(original delivery.Digest) (normalizedLayer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.reused[original]
	return p, ok
}

// linkBlob links a blob of that size from another layout, if there is one; size 0:
// any. A blob in its final place is never written to, so both may link to it.
func (s *store) linkBlob(d delivery.Digest, size int64) bool {
	if !d.Valid() {
		return false
	}
	to := filepath.Join(s.dir, "blobs", "sha256", d.Hex())
	if _, err := os.Lstat(to); err == nil {
		return true
	}
	found, err := filepath.Glob(filepath.Join(s.siblings, "*", "blobs", "sha256", d.Hex()))
	if err != nil {
		return false
	}
	for _, from := range found {
		info, err := os.Lstat(from)
		if err != nil || !info.Mode().IsRegular() || size > 0 && info.Size() != size {
			continue
		}
		if os.Link(from, to) == nil {
			return true
		}
	}
	return false
}

func (s *store) newBlobWriter(o content.WriterOpts) (*blobWriter, error) {
	file, err := os.CreateTemp(filepath.Join(s.dir, "blobs", "sha256"), "incoming-*.new")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &blobWriter{
		hashed: &hashingWriter{next: file, hash: sha256.New()}, file: file,
		status: content.Status{Ref: o.Ref, Total: o.Desc.Size, Expected: o.Desc.Digest, StartedAt: now, UpdatedAt: now},
	}, nil
}

package buildkit

import (
	"context"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// store takes the image's blobs from BuildKit into a layout. A blob that another
// layout beside it has is linked instead of sent: of a large image, only what
// changed is written.
type store struct {
	content.Store
	dir    string // the layout
	beside string // folder of the others
}

func newStore(dir, beside string) (*store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	s, err := local.NewStore(dir)
	if err != nil {
		return nil, err
	}
	return &store{Store: s, dir: dir, beside: beside}, nil
}

// Info is asked before a blob is sent.
func (s *store) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	s.borrow(d, 0)
	return s.Store.Info(ctx, d)
}

// Writer answers that a blob is there if it could be borrowed.
func (s *store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, set := range opts {
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	s.borrow(o.Desc.Digest, o.Desc.Size)
	return s.Store.Writer(ctx, opts...)
}

// borrow links a blob of that size from another layout, if there is one; size 0:
// any. Nobody writes to a blob that has its place, so that both may have it.
func (s *store) borrow(d digest.Digest, size int64) {
	valid := delivery.Digest(d)
	if !valid.Valid() {
		return
	}
	to := filepath.Join(s.dir, "blobs", "sha256", valid.Hex())
	if _, err := os.Lstat(to); err == nil {
		return
	}
	found, err := filepath.Glob(filepath.Join(s.beside, "*", "blobs", "sha256", valid.Hex()))
	if err != nil {
		return
	}
	for _, from := range found {
		info, err := os.Lstat(from)
		if err != nil || !info.Mode().IsRegular() || size > 0 && info.Size() != size {
			continue
		}
		if os.Link(from, to) == nil {
			return
		}
	}
}

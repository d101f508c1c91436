package buildkit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// blobWriter is a blob on its way into a store: what containerd's own writer does,
// but that it does not wait for the disk. A layer that just came is read again at
// once and becomes another blob, and whoever reads a layout holds it against its
// digests.
type blobWriter struct {
	hashed *hashingWriter
	file   *os.File // in the folder of blobs
	status content.Status
	closed bool
}

var _ content.Writer = (*blobWriter)(nil)

func (i *blobWriter) Write(p []byte) (int, error) {
	i.status.UpdatedAt = time.Now()
	return i.hashed.Write(p)
}

// Status returns how much of the blob has arrived, in bytes.
func (i *blobWriter) Status() (content.Status, error) {
	i.status.Offset = i.hashed.bytes
	return i.status, nil
}

// Digest returns the digest of what has arrived.
func (i *blobWriter) Digest() digest.Digest { return digest.Digest(i.hashed.digest()) }

// Truncate begins again; size has to be 0.
func (i *blobWriter) Truncate(size int64) error {
	if size != 0 {
		return fmt.Errorf("truncate a blob to %d bytes: %w", size, errdefs.ErrNotImplemented)
	}
	if _, err := i.file.Seek(0, 0); err != nil {
		return err
	}
	i.hashed = &hashingWriter{next: i.file, hash: sha256.New()}
	return i.file.Truncate(0)
}

// Commit moves the blob to its place. A size of 0 and an empty digest are not
// checked.
func (i *blobWriter) Commit(_ context.Context, size int64, expected digest.Digest, _ ...content.Opt) error {
	if i.closed {
		return fmt.Errorf("commit a closed blob: %w", errdefs.ErrFailedPrecondition)
	}
	got, expected := i.Digest(), cmp.Or(expected, i.status.Expected)
	switch {
	case size > 0 && size != i.hashed.bytes:
		return fmt.Errorf("received %d bytes instead of %d: %w", i.hashed.bytes, size, errdefs.ErrFailedPrecondition)
	case expected != "" && expected != got:
		return fmt.Errorf("received %s instead of %s: %w", got, expected, errdefs.ErrFailedPrecondition)
	}
	if err := errors.Join(i.file.Chmod(0o444), i.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(i.file.Name(), filepath.Join(filepath.Dir(i.file.Name()), got.Encoded())); err != nil {
		return err
	}
	i.closed = true
	return nil
}

// Close discards what has not been committed.
func (i *blobWriter) Close() error {
	if i.closed {
		return nil
	}
	i.closed = true
	_ = i.file.Close() // it is removed
	if err := os.Remove(i.file.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

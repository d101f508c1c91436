// Package objectfolder keeps objects as files below a folder, such as a mounted file
// system that several machines share. It has to support hard links.
package objectfolder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Store keeps objects below a folder, which is made when the first one is stored.
type Store struct{ Dir string }

var _ port.ObjectStore = Store{}

// Create implements port.ObjectStore.
func (s Store) Create(ctx context.Context, key string, content []byte) error {
	err := s.write(ctx, key, bytes.NewReader(content), (*atomicfile.File).CommitNew)
	if errors.Is(err, fs.ErrExist) {
		return port.ErrExists
	}
	return s.explain("create", key, err)
}

// Put implements port.ObjectStore.
func (s Store) Put(ctx context.Context, key string, content io.Reader) error {
	return s.explain("store", key, s.write(ctx, key, content, (*atomicfile.File).Commit))
}

func (s Store) write(ctx context.Context, key string, content io.Reader, commit func(*atomicfile.File) error) error {
	path, err := s.path(ctx, key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := atomicfile.Create(path, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, blob.ContextReader(ctx, content)); err != nil {
		return err
	}
	return commit(f)
}

// Open implements port.ObjectStore.
func (s Store) Open(ctx context.Context, key string) (io.ReadCloser, port.Object, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return nil, port.Object{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, port.Object{}, s.explain("open", key, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, port.Object{}, s.explain("open", key, err)
	}
	return f, port.Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// List implements port.ObjectStore.
func (s Store) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	root := filepath.Join(s.Dir, filepath.FromSlash(prefix[:strings.LastIndexByte(prefix, '/')+1]))
	var found []port.Object
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil || d.IsDir() || atomicfile.IsTemporary(path) {
			return ignoreMissing(err)
		}
		rel, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !strings.HasPrefix(key, prefix) || key <= after {
			return nil
		}
		info, err := d.Info()
		if err == nil {
			found = append(found, port.Object{Key: key, Size: info.Size(), ModTime: info.ModTime()})
		}
		return ignoreMissing(err)
	})
	slices.SortFunc(found, func(a, b port.Object) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(len(found), limit)], s.explain("list", prefix, err)
}

// ignoreMissing forgives what was deleted while it was listed.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Delete implements port.ObjectStore.
func (s Store) Delete(ctx context.Context, key string) error {
	path, err := s.path(ctx, key)
	if err != nil {
		return err
	}
	return s.explain("delete", key, ignoreMissing(os.Remove(path)))
}

func (s Store) path(ctx context.Context, key string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if name := filepath.FromSlash(key); filepath.IsLocal(name) {
		return filepath.Join(s.Dir, name), nil
	}
	return "", fault.New(fault.Internal, "invalid object key %q", key)
}

func (s Store) explain(action, key string, err error) error {
	if err == nil || fault.Is(err, fault.Internal) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind := fault.FileKind(err)
	if kind == fault.Internal {
		kind = fault.Unavailable
	}
	return fault.New(kind, "%s %s in %s", action, key, s.Dir).Cause(err)
}

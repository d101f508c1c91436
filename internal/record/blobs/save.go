package blobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// format is the form of lists that are written now.
const format = 1

// list is what a folder's blob holds. Add fields, never rename them.
type list struct {
	Format int    `json:"format"`
	Files  []File `json:"files"` // in the order of their paths
}

// File is a file of a folder that was saved.
type File struct {
	Path       string          `json:"path"` // relative, with slashes
	Digest     delivery.Digest `json:"digest"`
	Size       int64           `json:"size"`
	Executable bool            `json:"executable,omitempty"`
}

// Save implements port.Blobs.
func (s *Store) Save(ctx context.Context, path string) (port.Blob, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return port.Blob{}, fmt.Errorf("save %s: %w", path, err)
	}
	if info.IsDir() {
		return s.saveFolder(ctx, path)
	}
	f, err := describe(ctx, path, info)
	if err == nil {
		err = s.Put(ctx, f.Digest, f.Size, opener(path))
	}
	if err != nil {
		return port.Blob{}, fmt.Errorf("save %s: %w", path, err)
	}
	return port.Blob{Digest: f.Digest, Size: f.Size}, nil
}

func opener(path string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

func (s *Store) saveFolder(ctx context.Context, dir string) (port.Blob, error) {
	files, err := listFiles(ctx, dir)
	if err != nil {
		return port.Blob{}, fmt.Errorf("save %s: %w", dir, err)
	}
	raw, err := json.Marshal(list{Format: format, Files: files})
	if err != nil {
		return port.Blob{}, fmt.Errorf("save %s: %w", dir, err)
	}
	b := port.Blob{Digest: delivery.DigestOf(raw), Folder: true}
	for _, f := range files {
		b.Size += f.Size
	}
	fresh, err := s.isFresh(ctx, b.Digest, int64(len(raw)))
	if err != nil || fresh && !s.anyDamaged(files) {
		return b, err
	}
	group, together := errgroup.WithContext(ctx)
	group.SetLimit(maxTogether)
	for _, f := range files {
		group.Go(func() error {
			return s.Put(together, f.Digest, f.Size, opener(filepath.Join(dir, filepath.FromSlash(f.Path))))
		})
	}
	if err := group.Wait(); err != nil {
		return b, fmt.Errorf("save %s: %w", dir, err)
	}
	// Last: whoever finds the list finds the files.
	if err := s.Put(ctx, b.Digest, int64(len(raw)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }); err != nil {
		return b, fmt.Errorf("save %s: %w", dir, err)
	}
	return b, nil
}

func (s *Store) anyDamaged(files []File) bool {
	for _, f := range files {
		if s.isDamaged(f.Digest) {
			return true
		}
	}
	return false
}

// listFiles describes all files below the folder, in the order of their paths.
func listFiles(ctx context.Context, dir string) ([]File, error) {
	files := []File{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := describe(ctx, path, info)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		f.Path = filepath.ToSlash(rel)
		if err == nil && !f.isValid() {
			err = fault.New(fault.Invalid, "invalid file name %q", f.Path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

// describe returns what a file contains, without its path.
func describe(ctx context.Context, path string, info fs.FileInfo) (File, error) {
	if !info.Mode().IsRegular() {
		return File{}, fault.New(fault.Invalid, "%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	d, size, err := delivery.DigestReader(blob.ContextReader(ctx, f))
	return File{Digest: d, Size: size, Executable: info.Mode()&0o100 != 0}, err
}

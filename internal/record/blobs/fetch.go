package blobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MaxList is how many bytes a folder's list of its files may have.
const MaxList = 64 << 20

// maxPath is how many bytes a path in such a list may have.
const maxPath = 4096

// Fetch implements port.Blobs.
func (s *Store) Fetch(ctx context.Context, b port.Blob, path string) error {
	if err := s.fetch(ctx, b, path); err != nil {
		return fmt.Errorf("fetch %s: %w", path, err)
	}
	return nil
}

func (s *Store) fetch(ctx context.Context, b port.Blob, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	files := []File{{Digest: b.Digest, Size: b.Size}}
	if b.Folder {
		var err error
		if files, err = s.Files(ctx, b.Digest); err != nil {
			return err
		}
	}
	if err := checkSize(b, files); err != nil {
		return err
	}
	isThere := func() bool {
		return b.Folder && hasExactly(ctx, path, files) || !b.Folder && hasFile(ctx, path, files[0])
	}
	if isThere() {
		return nil
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "made")
	if b.Folder {
		err = s.fetchFolder(ctx, files, made)
	} else {
		err = s.fetchFile(ctx, files[0], made)
	}
	if err != nil {
		return err
	}
	if os.Rename(made, path) == nil {
		return nil
	}
	for n := range tries {
		err = replace(made, path, filepath.Join(tmp, fmt.Sprint("old", n)))
		if err == nil || isThere() { // another process was faster
			return nil
		}
	}
	return err
}

// Files returns the files of a folder that was saved.
func (s *Store) Files(ctx context.Context, d delivery.Digest) ([]File, error) {
	r, size, err := s.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > MaxList {
		return nil, fault.New(fault.Corrupt, "blob %s is not a list of files: it has %d bytes", d.Short(), size)
	}
	raw, err := io.ReadAll(io.LimitReader(r, MaxList))
	if err != nil {
		return nil, err
	}
	var l list
	if err := json.Unmarshal(raw, &l); err != nil || l.Format < 1 {
		return nil, fault.New(fault.Corrupt, "blob %s is not a list of files", d.Short()).Cause(err)
	}
	if l.Format > format {
		return nil, fault.New(fault.Conflict, "blob %s was written by a newer Slipway", d.Short()).Hint("update slipway on this machine")
	}
	for i, f := range l.Files {
		if !f.isValid() || i > 0 && !sortsBefore(l.Files[i-1].Path, f.Path) {
			return nil, fault.New(fault.Corrupt, "blob %s lists a file that can't be: %q", d.Short(), f.Path)
		}
	}
	return l.Files, nil
}

// sortsBefore reports whether the walk of a folder comes to a before b.
func sortsBefore(a, b string) bool {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) < 0
}

// isValid reports whether the file is below its folder, whatever the machine.
func (f File) isValid() bool {
	return f.Digest.Valid() && f.Size >= 0 && len(f.Path) <= maxPath && filepath.IsLocal(filepath.FromSlash(f.Path)) &&
		filepath.ToSlash(filepath.Clean(filepath.FromSlash(f.Path))) == f.Path && f.Path != "." && !strings.ContainsAny(f.Path, "\\\x00")
}

// checkSize refuses a folder that has more than the one that was saved.
func checkSize(b port.Blob, files []File) error {
	left := b.Size
	for _, f := range files {
		if left -= f.Size; left < 0 {
			break
		}
	}
	if left != 0 {
		return fault.New(fault.Corrupt, "blob %s does not have the %d bytes that were saved", b.Digest.Short(), b.Size)
	}
	return nil
}

func (s *Store) fetchFolder(ctx context.Context, files []File, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	group, together := errgroup.WithContext(ctx)
	group.SetLimit(maxTogether)
	for _, f := range files {
		group.Go(func() error {
			path := filepath.Join(dir, filepath.FromSlash(f.Path))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			return s.fetchFile(together, f, path)
		})
	}
	return group.Wait()
}

// fetchFile writes a new file.
func (s *Store) fetchFile(ctx context.Context, f File, path string) error {
	r, size, err := s.Open(ctx, f.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	if size != f.Size {
		s.setDamaged(f.Digest, true)
		return fault.New(fault.Corrupt, "blob %s has %d bytes, not %d", f.Digest.Short(), size, f.Size)
	}
	mode := fs.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(blob.ContextReader(ctx, r), f.Size+1))
	if n > f.Size {
		err = fault.New(fault.Corrupt, "blob %s has more than %d bytes", f.Digest.Short(), f.Size)
	}
	return errors.Join(err, out.Close())
}

// hasExactly reports whether the folder has the files and no others.
func hasExactly(ctx context.Context, dir string, want []File) bool {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return false
	}
	missing := map[string]File{}
	for _, f := range want {
		missing[f.Path] = f
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, ok := missing[filepath.ToSlash(rel)]
		if !ok || !hasFile(ctx, path, f) {
			return fs.ErrNotExist
		}
		delete(missing, f.Path)
		return nil
	})
	return err == nil && len(missing) == 0
}

func hasFile(ctx context.Context, path string, want File) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != want.Size {
		return false
	}
	got, err := describe(ctx, path, info)
	return err == nil && got.Digest == want.Digest
}

// replace gives what was made its place; what was there goes to old.
func replace(made, path, old string) error {
	if err := os.Rename(path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(made, path)
}

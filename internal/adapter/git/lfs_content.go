package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

func missingContent(paths []string) error {
	return fault.New(fault.NotFound, "Git LFS has the content of %s, which this clone lacks", nameFiles(paths)).
		Hint("run `git lfs pull`; it needs git-lfs (https://git-lfs.com). In a CI, enable LFS for the checkout (GitHub: lfs: true)")
}

// contentTime is the time of every content beside a checkout: one that was changed in
// place has another.
var contentTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// addLFSContent replaces the pointers in the checkout at dir by their content, which
// is in the folder kept: contents that are used again are not copied again.
func (s Source) addLFSContent(ctx context.Context, files []lfsFile, dir, kept string) error {
	if len(files) == 0 {
		return os.RemoveAll(kept)
	}
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	store, err := s.lfsStore(ctx)
	if err != nil {
		return err
	}
	hasLFS := sync.OnceValue(func() bool { return s.hasLFS(ctx) })
	inUse := map[string]bool{}
	var missing []string
	for _, f := range files {
		name := f.oid
		if strings.HasSuffix(f.mode, "755") {
			name += "-x"
		}
		inUse[name] = true
		err := s.provide(ctx, f, store, filepath.Join(kept, name), hasLFS)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f.path)
			continue
		}
		if err == nil {
			err = linkInto(filepath.Join(kept, name), filepath.Join(dir, filepath.FromSlash(f.path)))
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return missingContent(missing)
	}
	return removeUnused(kept, inUse)
}

func removeUnused(dir string, inUse map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !inUse[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// provide makes the content available at path: from the clone's store, or downloaded
// by git-lfs, if hasLFS. It is fs.ErrNotExist if neither has it.
func (s Source) provide(ctx context.Context, f lfsFile, store, path string, hasLFS func() bool) error {
	if info, err := os.Stat(path); err == nil && info.Size() == f.size && info.ModTime().Equal(contentTime) {
		return nil
	}
	if f.isIn(store) {
		in, err := os.Open(f.in(store))
		if err != nil {
			return fmt.Errorf("read the content of %s: %w", f.path, err)
		}
		defer in.Close()
		return f.save(path, func(out io.Writer) error { _, err := io.Copy(out, in); return err })
	}
	if !hasLFS() {
		return fs.ErrNotExist
	}
	err := f.save(path, func(out io.Writer) error {
		_, err := s.run(ctx, command{
			dir: s.Dir, args: []string{"lfs", "smudge", "--", f.path}, in: []byte(f.pointer), out: out,
		})
		return err
	})
	var failed *exitError
	if errors.As(err, &failed) {
		return fault.New(fault.Unavailable, "download %s from Git LFS", f.path).Cause(err).Hint("run `git lfs pull` to see why; then run again")
	}
	return err
}

// save writes the content to path, whole and as the pointer says, or not at all.
func (f lfsFile) save(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	count := &counter{}
	err = write(io.MultiWriter(tmp, sum, count))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.oid || count.bytes != f.size {
		return fault.New(fault.Corrupt, "the content of %s in Git LFS is not what its pointer names (sha256 %s of %d bytes; want %s of %d)", f.path, got[:12], count.bytes, f.oid[:12], f.size).
			Hint("run `git lfs fsck`, and `git lfs pull`")
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(f.mode, "755") {
		mode = 0o755
	}
	if err := errors.Join(os.Chmod(tmp.Name(), mode), os.Chtimes(tmp.Name(), contentTime, contentTime)); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

type counter struct{ bytes int64 }

func (c *counter) Write(p []byte) (int, error) { c.bytes += int64(len(p)); return len(p), nil }

// linkInto replaces the file to by a link to from, or by a copy.
func linkInto(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chtimes(to, contentTime, contentTime))
}

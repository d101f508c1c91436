package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// fetchedTime is the time of every fetched file: one that has another time was
// touched since, and is read again.
func fetchedTime() time.Time { return time.Unix(1e9, 0) }

// Fetch makes dir hold exactly the model's files. Beside dir it keeps dir.lock.
func (r *Registry) Fetch(ctx context.Context, m delivery.ModelRef, dir string) error {
	repository, err := modelRepository(m.Group)
	if err != nil {
		return err
	}
	if !m.Digest.Valid() {
		return fault.New(fault.Invalid, "model %s: invalid digest %q", m, m.Digest)
	}
	at, err := r.repoRef(ctx, repository)
	if err != nil {
		return err
	}
	act := "fetch model " + m.String()
	files, err := at.modelFiles(ctx, act, m.Digest)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	held, err := lockFolder(ctx, act, dir)
	if err != nil {
		return err
	}
	defer held.Close()
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return r.verifyFolder(ctx, act, files, dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return at.download(ctx, act, files, dir)
}

// modelFiles reads the manifest; what it says is believed only as far as it is
// well-formed.
func (p repoRef) modelFiles(ctx context.Context, act string, d delivery.Digest) (map[string]v1.Descriptor, error) {
	_, listed, err := p.modelManifest(ctx, act, d)
	if err != nil {
		return nil, err
	}
	files := make(map[string]v1.Descriptor, len(listed))
	for _, f := range listed {
		files[f.Title] = v1.Descriptor{MediaType: fileType, Digest: v1Hash(delivery.Digest(f.Digest)), Size: f.Size}
	}
	return files, nil
}

// modelManifest returns the manifest byte for byte, and the files in it by title.
func (p repoRef) modelManifest(ctx context.Context, act string, d delivery.Digest) (rawManifest, []modelfiles.File, error) {
	if err := p.restore(ctx, d); err != nil {
		return nil, nil, p.toFault(ctx, act, err)
	}
	got, err := remote.Get(p.repo.Digest(string(d)), p.options...)
	if err != nil {
		return nil, nil, p.toFault(ctx, act, err)
	}
	err = errors.New("the manifest is corrupt")
	var files []modelfiles.File
	if delivery.DigestOf(got.Manifest) == d {
		files, err = modelfiles.Parse(got.Manifest)
	}
	if err != nil {
		return nil, nil, fault.New(fault.Corrupt, "%s: %s", act, err).Hint("%s was not stored by Slipway", d)
	}
	return got.Manifest, files, nil
}

func (p repoRef) download(ctx context.Context, act string, files map[string]v1.Descriptor, dir string) error {
	need, err := modelSize(files)
	if err != nil {
		return fault.New(fault.Corrupt, "%s", act).Cause(err)
	}
	if lacksSpace(filepath.Dir(dir), need) {
		return diskFull(act, filepath.Dir(dir), "the model", need, nil)
	}
	partial := dir + ".partial"
	removeAll(partial)
	defer removeAll(partial)
	for _, title := range sortedTitles(files) {
		err := p.downloadFile(ctx, files[title], filepath.Join(partial, filepath.FromSlash(title)))
		if err != nil && isNoSpace(err) {
			return diskFull(act, filepath.Dir(dir), "the model", need, err)
		}
		if err != nil {
			return p.fileFault(ctx, act, title, err)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return nil
}

// downloadFile writes one file, read-only and on the disk before it is visible.
func (p repoRef) downloadFile(ctx context.Context, d v1.Descriptor, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	layer, err := remote.Layer(p.repo.Digest(d.Digest.String()), p.options...)
	if err != nil {
		return err
	}
	packed, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer packed.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	content := io.LimitReader(blob.ContextReader(ctx, packed), d.Size+1)
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, content, make([]byte, 1<<20))
	switch {
	case n > d.Size:
		err = fmt.Errorf(mismatchPrefix+" size; got more than %d bytes", d.Size)
	case err == nil && n != d.Size:
		err = fmt.Errorf(mismatchPrefix+" size; got %d, want %d", n, d.Size)
	}
	err = errors.Join(err, f.Chmod(0o444), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Chtimes(to, fetchedTime(), fetchedTime())
}

// fileFault is explain for one file of a model.
func (p repoRef) fileFault(ctx context.Context, act, title string, err error) error {
	switch {
	case isNotFound(err) && ctx.Err() == nil:
		return corruptFile(act, title, errors.New("not found in the registry"))
	case strings.Contains(err.Error(), mismatchPrefix) && ctx.Err() == nil:
		return corruptFile(act, title, err)
	}
	return p.toFault(ctx, fmt.Sprintf("%s: file %s", act, title), err)
}

func corruptFile(act, title string, err error) error {
	return fault.New(fault.Corrupt, "%s: file %s is not what was stored", act, title).
		Hint("train and register the model again, or approve another version").Cause(err)
}

// verifyFolder looks at a folder that is there already: the same files, and of each
// one that was touched (or all, with Rehash) the same content.
func (r *Registry) verifyFolder(ctx context.Context, act string, files map[string]v1.Descriptor, dir string) error {
	changed := func(title string, why string) error {
		return fault.New(fault.Corrupt, "%s: file %s in %s is not what was stored: %s", act, title, dir, why).
			Hint("remove %s and run it again to fetch it anew", dir)
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		title := filepath.ToSlash(rel)
		want, known := files[title]
		info, err := os.Lstat(at)
		switch {
		case err != nil:
			return err
		case !known:
			return changed(title, "unexpected file")
		case !info.Mode().IsRegular():
			return changed(title, "not a regular file")
		case info.Size() != want.Size:
			return changed(title, fmt.Sprintf("%d bytes instead of %d", info.Size(), want.Size))
		}
		seen[title] = true
		if !r.c.VerifyContent && info.ModTime().Equal(fetchedTime()) {
			return nil
		}
		got, _, err := digestFile(ctx, at)
		if err == nil && got != want.Digest {
			err = changed(title, "the digest is "+got.String())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("check the model's folder: %w", err)
	}
	for _, title := range sortedTitles(files) {
		if !seen[title] {
			return changed(title, "missing")
		}
	}
	return nil
}

func sortedTitles(files map[string]v1.Descriptor) []string {
	out := make([]string, 0, len(files))
	for t := range files {
		out = append(out, t)
	}
	sort.Strings(out)
	return out
}

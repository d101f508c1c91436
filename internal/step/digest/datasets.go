package digest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Joint is the digest of data of which some is on this machine, and some pinned in a
// store. Without any there it is that of the machine's.
func Joint(local delivery.Digest, pinned []delivery.Dataset) delivery.Digest {
	if len(pinned) == 0 {
		return local
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "local %s\n", local)
	for _, d := range pinned {
		fmt.Fprintf(sum, "dataset %q %s\n", d.URI, d.Digest)
	}
	return delivery.DigestFromHash(sum)
}

// Source finds the data of commands.
type Source struct {
	Hasher   Hasher
	Datasets step.Datasets // nil: none is in a store
}

// Data is what a command reads.
type Data struct {
	Paths    []string           // on this machine, in the order of the parameters
	Digest   delivery.Digest    // of all of it, as the plan has it
	Datasets []delivery.Dataset // of it: what was fetched, with its content

	hasher Hasher
	here   delivery.Digest // of Paths
}

// BeforeRun returns the data that a command is about to read: what is in a store is
// fetched as the plan pinned it, or has been before. It must have the digest want, if that
// is one: fault.Conflict otherwise.
func (s Source) BeforeRun(ctx context.Context, r step.Request, data []string, p step.DatasetParams, want delivery.Digest) (Data, error) {
	out := Data{hasher: s.Hasher}
	if len(p.Datasets) == 0 {
		d, err := BeforeRun(ctx, s.Hasher, data, want)
		out.Paths, out.Digest, out.here = data, d, d
		return out, err
	}
	local := slices.DeleteFunc(slices.Clone(data), func(path string) bool { return pinOf(path, p.Datasets) >= 0 })
	d, err := s.Hasher.Paths(ctx, local)
	if err != nil {
		return out, fmt.Errorf("read the data: %w", err)
	}
	if out.Digest = Joint(d, p.Datasets); want.Valid() && out.Digest != want {
		return out, changedSincePlan(want, out.Digest)
	}
	if s.Datasets == nil {
		return out, fault.New(fault.Internal, "read the data: no store of objects is wired")
	}
	store, err := s.Datasets(p.DataAt)
	if err != nil {
		return out, err
	}
	for _, path := range data {
		if i := pinOf(path, p.Datasets); i >= 0 {
			pinned := p.Datasets[i]
			if path, pinned.Content, err = s.fetch(ctx, r, store, pinned); err != nil {
				return out, fmt.Errorf("read the data: %w", err)
			}
			out.Datasets = append(out.Datasets, pinned)
		}
		out.Paths = append(out.Paths, path)
	}
	out.here, err = s.Hasher.Paths(ctx, out.Paths)
	return out, err
}

// AfterRun checks that the data has not changed since the command began to read it.
func (d Data) AfterRun(ctx context.Context) error { return AfterRun(ctx, d.hasher, d.Paths, d.here) }

func pinOf(uri string, all []delivery.Dataset) int {
	return slices.IndexFunc(all, func(d delivery.Dataset) bool { return d.URI == uri })
}

// contentFile has the digest of what was fetched beside it.
const contentFile = "content"

// fetch returns where the dataset is on this machine, and its content. One that was
// fetched before, and is as it was then, is not fetched again.
func (s Source) fetch(ctx context.Context, r step.Request, store port.Datasets, d delivery.Dataset) (path string, content delivery.Digest, err error) {
	now, err := store.Pin(ctx, d.URI)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", "", err
	}
	if now.Digest != d.Digest {
		r.Notice("%s changed since the plan was made: what the plan pinned is used, or nothing", d.URI)
	}
	root := filepath.Join(r.ArtifactsDir, "datasets")
	dir := filepath.Join(root, d.Digest.Hex())
	path = filepath.Join(dir, "files", port.DatasetName(d.URI))
	if content, ok := s.fetched(ctx, dir, path); ok {
		return path, content, nil
	}
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", "", fault.New(fault.FileKind(err), "make a folder for the data").Cause(err)
	}
	partial, err := os.MkdirTemp(root, ".new-*")
	if err != nil {
		return "", "", fault.New(fault.FileKind(err), "make a folder for the data").Cause(err)
	}
	defer os.RemoveAll(partial)
	r.Progress("fetching %s", d.URI)
	files := filepath.Join(partial, "files")
	if err := errors.Join(os.Chmod(partial, 0o755), os.Mkdir(files, 0o755)); err != nil {
		return "", "", fault.New(fault.FileKind(err), "make a folder for the data").Cause(err)
	}
	if err := store.Fetch(ctx, d, files); err != nil {
		return "", "", err
	}
	if content, err = s.keep(ctx, partial, filepath.Join(files, port.DatasetName(d.URI))); err != nil {
		return "", "", err
	}
	if os.Rename(partial, dir) == nil {
		return path, content, nil
	}
	if content, ok := s.fetched(ctx, dir, path); ok { // another run was faster
		return path, content, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(partial, dir)); err != nil {
		return "", "", fault.New(fault.FileKind(err), "keep the data of %s", d.URI).Cause(err)
	}
	return path, content, nil
}

// keep writes down the content of what was fetched, which becomes read-only.
func (s Source) keep(ctx context.Context, dir, path string) (delivery.Digest, error) {
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(file, 0o444)
	})
	content, hashErr := s.Hasher.content(ctx, path)
	if hashErr != nil {
		return "", hashErr
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, contentFile), []byte(content), 0o644)); err != nil {
		return "", fault.New(fault.FileKind(err), "keep the data").Cause(err)
	}
	return content, nil
}

// fetched returns the content of what was fetched before, if it is unchanged.
func (s Source) fetched(ctx context.Context, dir, path string) (delivery.Digest, bool) {
	text, err := os.ReadFile(filepath.Join(dir, contentFile))
	if err != nil {
		return "", false
	}
	content, err := s.Hasher.content(ctx, path)
	return content, err == nil && string(text) == string(content)
}

// content is the SHA-256 of a file, or the digest of a folder.
func (h Hasher) content(ctx context.Context, path string) (delivery.Digest, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fault.New(fault.FileKind(err), "read %s", path).Cause(err)
	case info.IsDir():
		return h.Dir(ctx, path)
	}
	return h.hashFile(ctx, path)
}

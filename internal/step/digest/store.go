package digest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// BeforeRun returns the digest of data that a command is about to read. If want
// is a digest, the data must have it: fault.Conflict otherwise.
func BeforeRun(ctx context.Context, h Hasher, data []string, want delivery.Digest) (delivery.Digest, error) {
	d, err := h.Paths(ctx, data)
	if err != nil {
		return "", fmt.Errorf("read the data: %w", err)
	}
	if want.Valid() && d != want {
		return "", changedSincePlan(want, d)
	}
	return d, nil
}

func changedSincePlan(want, is delivery.Digest) error {
	return fault.New(fault.Conflict, "the data changed since the plan was made (was %s, is %s)", want.Short(), is.Short()).
		Hint("run again: a new plan uses the new data")
}

// AfterRun checks that the data has not changed since the command began to read
// it.
func AfterRun(ctx context.Context, h Hasher, data []string, before delivery.Digest) error {
	d, err := h.Paths(ctx, data)
	if err != nil {
		return fmt.Errorf("re-read the data: %w", err)
	}
	if d != before {
		return fault.New(fault.Conflict, "the data changed while the command was using it (was %s, is %s)", before.Short(), d.Short()).
			Hint("run again once nothing writes to the data")
	}
	return nil
}

// Store puts the files of all from (folders, or single files) into one new folder
// below root, named after their digest. The folder appears complete or not at
// all; an existing intact one is left alone, a damaged one is replaced. Files are
// linked, or copied where that is not possible, and become read-only. Two files
// of the same name are fault.Invalid, no file at all is fault.Failed.
func Store(ctx context.Context, from []string, root string) (dir string, files delivery.Digest, err error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", "", fmt.Errorf("create %s: %w", root, err)
	}
	tmp, err := os.MkdirTemp(root, ".new-*")
	if err != nil {
		return "", "", fmt.Errorf("create a folder in %s: %w", root, err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", "", fmt.Errorf("create a folder in %s: %w", root, err)
	}
	for _, f := range from {
		if err := addFiles(ctx, f, tmp); err != nil {
			return "", "", err
		}
	}
	if files, err = Dir(ctx, tmp); err != nil {
		return "", "", err
	}
	dir = filepath.Join(root, files.Hex())
	return dir, files, publish(ctx, tmp, dir, files)
}

// publish gives tmp its final name, unless that folder exists and is intact.
func publish(ctx context.Context, tmp, dir string, files delivery.Digest) error {
	if os.Rename(tmp, dir) == nil || hasFiles(ctx, dir, files) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the damaged %s: %w", dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("store %s: %w", dir, err)
	}
	return nil
}

func hasFiles(ctx context.Context, dir string, files delivery.Digest) bool {
	have, err := Dir(ctx, dir)
	return err == nil && have == files
}

func addFiles(ctx context.Context, from, to string) error {
	files, err := listFiles(from, false)
	if err != nil {
		return err
	}
	for _, f := range files {
		dst := filepath.Join(to, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return fmt.Errorf("create %s: %w", filepath.Dir(dst), err)
		}
		if _, err := os.Lstat(dst); err == nil {
			return fault.New(fault.Invalid, "two files are named %s", f.name).Hint("rename one of them")
		}
		if err := linkOrCopy(ctx, f.path, dst); err != nil {
			return fmt.Errorf("store %s: %w", f.name, err)
		}
	}
	return nil
}

// linkOrCopy links if possible: models may be large.
func linkOrCopy(ctx context.Context, src, dst string) error {
	if os.Link(src, dst) != nil {
		if err := copyFile(ctx, src, dst); err != nil {
			return err
		}
	}
	return os.Chmod(dst, 0o444)
}

func copyFile(ctx context.Context, src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, &contextReader{ctx, in})
	return errors.Join(err, out.Close())
}

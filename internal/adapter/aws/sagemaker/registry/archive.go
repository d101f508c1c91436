package registry

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scratch"
)

// storeArchive puts the artifact's files into S3 as model.tar.gz, for those who read the
// registry with AWS's own tools and for services that load their models themselves, and
// returns its URI and what pins the object. Slipway itself never reads it.
func (r *Registry) storeArchive(ctx context.Context, c *client, ref delivery.ModelRef) (uri, pin string, err error) {
	if r.config.Artifacts == nil {
		return "", "", nil
	}
	uri = fmt.Sprintf("%s/%s/models/%s/model.tar.gz", r.config.Storage, ref.Group, ref.Digest.Hex())
	at, err := s3.Parse(uri)
	if err != nil {
		return "", "", err
	}
	info, err := c.objects.client.Stat(ctx, at)
	if fault.Is(err, fault.NotFound) {
		if err := r.packArchive(ctx, c, ref, uri); err != nil {
			return "", "", err
		}
		info, err = c.objects.client.Stat(ctx, at)
	}
	if err != nil {
		return "", "", err
	}
	return uri, pinOf(info), nil
}

func (r *Registry) packArchive(ctx context.Context, c *client, ref delivery.ModelRef, uri string) error {
	tmp, err := scratch.New(r.config.Scratch, "model-", r.config.Clock())
	if err != nil {
		return err
	}
	defer func() { _ = tmp.Close() }()
	dir := tmp.Files()
	files := filepath.Join(dir, "files")
	if err := r.config.Artifacts.Fetch(ctx, ref, files); err != nil {
		return err
	}
	path := filepath.Join(dir, "model.tar.gz")
	size, err := pack(ctx, files, path)
	if err != nil {
		return fmt.Errorf("pack the files of %s: %w", ref.Group, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.objects.put(ctx, uri, f, size)
}

// pack writes the regular files below dir as tar.gz: sorted, without times or owners, so
// that the same files are the same archive.
func pack(ctx context.Context, dir, path string) (size int64, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z := gzip.NewWriter(out)
	archive := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return add(archive, filepath.ToSlash(name), path)
	})
	if err := errors.Join(err, archive.Close(), z.Close()); err != nil {
		return 0, err
	}
	return out.Seek(0, io.SeekCurrent)
}

func add(archive *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

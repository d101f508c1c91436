package jobs

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// inputName is where the i-th path of an input is in its archive.
func inputName(i int, local string) string {
	return path.Join(strconv.Itoa(i), filepath.Base(local))
}

// workDir returns the folder of the command in the container: it is part of an input, or
// one.
func workDir(job port.Job) (string, error) {
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return "", fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		for i, p := range paths {
			rel, err := filepath.Rel(p, job.Command.Dir)
			if err == nil && filepath.IsLocal(rel) {
				return path.Join(unpacked, name, inputName(i, p), filepath.ToSlash(rel)), nil
			}
		}
	}
	return "", fault.New(fault.Invalid, "job %s: the folder %s is part of no input, so the container would not have it", job.Name, job.Command.Dir)
}

// checkFiles refuses a job that can't run, before anything is stored.
func checkFiles(job port.Job) error {
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		for _, p := range paths {
			if _, err := os.Stat(p); err != nil {
				return fault.New(fault.NotFound, "job %s: input %s", job.Name, p).Cause(err)
			}
		}
	}
	return nil
}

// storeInput stores an input as an archive that is named after its content, unless it is
// there already.
func (j *Jobs) storeInput(ctx context.Context, c *connection, name string, in port.Artifact) (s3.Object, error) {
	paths, err := in.Paths()
	if err != nil {
		return s3.Object{}, err
	}
	f, err := os.CreateTemp("", "slipway-input-")
	if err != nil {
		return s3.Object{}, fault.New(fault.FileKind(err), "pack input %s", name).Cause(err)
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	sum := sha256.New()
	if err := pack(ctx, io.MultiWriter(f, sum), paths); err != nil {
		return s3.Object{}, fault.New(fault.FileKind(err), "pack input %s", name).Cause(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return s3.Object{}, err
	}
	o := j.object("inputs/sha256", delivery.DigestFromHash(sum).Hex()+".tar.gz")
	_, err = c.objects.Create(ctx, o, f, size, s3.Encryption{KMSKey: j.section.KMS})
	return o, err
}

// pack writes the paths as a compressed archive: the same content is the same bytes.
func pack(ctx context.Context, to io.Writer, paths []string) error {
	z := gzip.NewWriter(to)
	w := tar.NewWriter(z)
	for i, p := range paths {
		if err := packTree(ctx, w, p, inputName(i, p)); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close())
}

func packTree(ctx context.Context, w *tar.Writer, local, name string) error {
	return filepath.WalkDir(local, func(file string, _ fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(local, file)
		if err != nil {
			return err
		}
		info, err := os.Lstat(file)
		if file == local {
			info, err = os.Stat(file) // data may be named by a link
		}
		if err != nil {
			return err
		}
		return packEntry(w, file, path.Join(name, filepath.ToSlash(rel)), info)
	})
}

func packEntry(w *tar.Writer, file, name string, info fs.FileInfo) error {
	h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm() | 0o444), Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(file)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, link, 0o777
	case info.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
	default:
		return nil // a socket or a device is no content
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// object is one of the bucket's, below the prefix.
func (j *Jobs) object(folder, name string) s3.Object {
	return s3.Object{Bucket: j.section.Bucket, Key: path.Join(j.prefix(), folder, name)}
}

func (j *Jobs) prefix() string {
	if j.section.Prefix == "" {
		return "slipway"
	}
	return strings.Trim(j.section.Prefix, "/")
}

package s3

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// The limits of an archive that is unpacked: those of an image's layers, but for fewer
// files.
const (
	maxArchiveFiles = 200_000
	maxFileName     = 4 << 10   // bytes
	maxArchiveBytes = 256 << 30 // of all files
	maxArchiveRatio = 200       // unpacked bytes for each byte, beyond freeBytes
	freeBytes       = 1 << 30   // for which no ratio counts
	maxPackedBytes  = 256 << 30 // of the archive itself
)

// Archive is a model.tar.gz that was unpacked.
type Archive struct {
	Info
	SHA256 delivery.Digest // of the archive's own bytes
	Files  delivery.Digest // of the files in it: delivery.FolderDigest, by which artifacts are named
}

// Unpack fetches an archive once and unpacks it into a folder that exists and is empty.
// Links and special files are fault.Invalid, an archive beyond the limits is
// fault.Exhausted, and one that can't be read fault.Corrupt. What was written by then
// stays: the caller removes the folder.
func (c *Client) Unpack(ctx context.Context, o Object, dir string) (Archive, error) {
	action := "fetch " + o.String()
	out, err := sdk(c).GetObject(ctx, &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version)})
	if err != nil {
		return Archive{}, c.explain(ctx, action, o, err)
	}
	defer out.Body.Close()
	o.Version = aws.ToString(out.VersionId)
	a := Archive{Info: Info{Object: o, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag)}}
	if err := checkSize(action, a.Size); err != nil {
		return a, err
	}
	sum := sha256.New()
	packed := &counter{r: io.TeeReader(out.Body, sum)}
	files, err := unpack(ctx, packed, dir, limits{files: maxArchiveFiles, free: freeBytes})
	if err == nil {
		_, err = io.Copy(io.Discard, packed) // to the end: the checksum is of all of it
	}
	var known *fault.Error
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return a, fmt.Errorf("%s: %w", action, context.Cause(ctx))
	case errors.As(err, &known):
		return a, fmt.Errorf("%s: %w", action, err)
	case isReadError(err):
		return a, c.explain(ctx, action, o, packed.err)
	default:
		return a, fault.New(fault.Corrupt, "%s: it is not a valid tar.gz archive", action).Cause(err)
	}
	if packed.n != a.Size && a.Size > 0 {
		return a, fault.New(fault.Corrupt, "%s: %d of %d bytes came", action, packed.n, a.Size)
	}
	a.SHA256, a.Files = delivery.DigestFromHash(sum), delivery.FolderDigest(files)
	return a, nil
}

func checkSize(action string, size int64) error {
	if size > maxPackedBytes {
		return fault.New(fault.Exhausted, "%s: it has more than %d GiB", action, int64(maxPackedBytes)>>30)
	}
	return nil
}

// counter counts what is read, and tells a broken connection from a broken archive.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

func isReadError(err error) bool { return errors.As(err, new(readError)) }

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
		err = readError{err}
	}
	return n, err
}

// unpack writes the regular files of an archive, and returns their digests by name. The
// ratio counts beyond free bytes.
// limits are those that a test would take minutes to reach.
type limits struct {
	files int
	free  int64 // bytes for which no ratio counts
}

func unpack(ctx context.Context, packed *counter, dir string, most limits) (map[string]delivery.Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.FileKind(err), "open the folder %s", dir).Cause(err)
	}
	defer root.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	u := &unpacker{ctx: ctx, root: root, packed: packed, free: most.free, files: map[string]delivery.Digest{}}
	archive := tar.NewReader(z)
	for n := 0; ; n++ {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return u.files, nil
		case err != nil:
			return nil, err
		case n == most.files:
			return nil, fault.New(fault.Exhausted, "it has more than %d files", most.files).Hint("write fewer files, or one archive")
		}
		if err := u.entry(h, archive); err != nil {
			return nil, err
		}
	}
}

type unpacker struct {
	ctx    context.Context
	root   *os.Root
	packed *counter
	free   int64
	files  map[string]delivery.Digest
	total  int64
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(path.Clean(h.Name), "./")
	switch {
	case len(h.Name) > maxFileName:
		return fault.New(fault.Exhausted, "a name in it has more than %d bytes", maxFileName)
	case !filepath.IsLocal(filepath.FromSlash(name)):
		return fault.New(fault.Invalid, "%s in it is outside of its folder", textOf(name))
	case h.Typeflag == tar.TypeDir && name == ".":
		return nil
	case h.Typeflag == tar.TypeDir:
		return u.fileError(name, u.root.MkdirAll(name, 0o755))
	case h.Typeflag != tar.TypeReg:
		return fault.New(fault.Invalid, "%s in it is neither a file nor a folder", textOf(name)).Hint("make training write regular files")
	case u.files[name] != "":
		return fault.New(fault.Invalid, "it has %s twice", textOf(name))
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return u.fileError(name, err)
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return u.fileError(name, err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), limited{u, content})
	if closeErr := f.Close(); closeErr != nil && err == nil {
		err = u.fileError(name, closeErr)
	}
	u.files[name] = delivery.DigestFromHash(sum)
	return err
}

func textOf(name string) string { return fmt.Sprintf("%.100q", name) }

func (u *unpacker) fileError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.FileKind(err), "write %s", textOf(name)).Cause(err)
}

// limited ends an archive that unpacks to more than it may.
type limited struct {
	u *unpacker
	r io.Reader
}

func (l limited) Read(p []byte) (int, error) {
	if l.u.ctx.Err() != nil {
		return 0, context.Cause(l.u.ctx)
	}
	n, err := l.r.Read(p)
	l.u.total += int64(n)
	switch {
	case l.u.total > maxArchiveBytes:
		return n, fault.New(fault.Exhausted, "its files have more than %d GiB", int64(maxArchiveBytes)>>30)
	case l.u.total > l.u.free && l.u.total/maxArchiveRatio > l.u.packed.n:
		return n, fault.New(fault.Exhausted, "it unpacks to more than %d times its size", maxArchiveRatio)
	}
	return n, err
}

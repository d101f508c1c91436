package s3

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	maxDownloads     = 10_000
	maxDownloadBytes = 1 << 30
)

// Download fetches the objects below a prefix that ends with a slash into a folder that
// exists, by what follows the prefix. More than maxDownloads of them, or maxDownloadBytes
// in all, are fault.Exhausted.
func (c *Client) Download(ctx context.Context, prefix Object, dir string) error {
	action := "fetch the objects of " + prefix.String()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.New(fault.FileKind(err), "%s", action).Cause(err)
	}
	defer root.Close()
	all, err := c.list(ctx, prefix, maxDownloads)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var size int64
	for _, o := range all {
		size += o.size
	}
	if size > maxDownloadBytes {
		return fault.New(fault.Exhausted, "%s: they are larger than %d MiB", action, maxDownloadBytes>>20)
	}
	for _, o := range all {
		if err := c.downloadTo(ctx, Object{Bucket: prefix.Bucket, Key: o.key}, root, strings.TrimPrefix(o.key, prefix.Key), o.size, ""); err != nil {
			return err
		}
	}
	return nil
}

// downloadTo fetches an object of that size. With an ETag, one that has another by now is
// fault.Conflict.
func (c *Client) downloadTo(ctx context.Context, o Object, root *os.Root, name string, size int64, etag string) error {
	action := "fetch " + o.String()
	if name == "" || strings.HasSuffix(name, "/") {
		return nil // the folder itself
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fault.New(fault.Invalid, "%s: its name is outside of the folder", action)
	}
	out, err := sdk(c).GetObject(ctx, &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version), IfMatch: optional(etag)})
	if isThere(err) || etag != "" && isAbsent(err) {
		return fault.New(fault.Conflict, "%s: it was replaced", action)
	}
	if err != nil {
		return c.explain(ctx, action, o, err)
	}
	defer out.Body.Close()
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return fault.New(fault.FileKind(err), "%s", action).Cause(err)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fault.New(fault.FileKind(err), "%s", action).Cause(err)
	}
	_, err = io.CopyN(f, out.Body, size) // no more than was listed
	if err = errors.Join(err, f.Close()); err != nil {
		return c.explain(ctx, action, o, err)
	}
	return nil
}

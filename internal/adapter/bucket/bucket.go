// Package bucket keeps objects in a bucket of Google Cloud Storage or Azure Blob Storage,
// through the Go Cloud Development Kit. Package aws/objects is its sibling for Amazon S3.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync/atomic"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	"gocloud.dev/gcerrors"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Store keeps objects in a bucket.
type Store struct {
	bucket *blob.Bucket
	prefix string      // of all keys, with its slash
	name   string      // for messages, without the query
	found  atomic.Bool // the bucket was
}

var _ port.ObjectStore = (*Store)(nil)

// Open opens the bucket that the URL names, such as gs://bucket/prefix.
// Credentials come from where the provider's own tools take them. Nothing is sent yet.
func Open(ctx context.Context, u *url.URL) (*Store, error) {
	at := *u
	prefix := strings.Trim(at.Path, "/")
	at.Path = ""
	b, err := blob.OpenBucket(ctx, at.String())
	if err != nil {
		return nil, fault.New(fault.Invalid, "open %s", withoutQuery(u)).Hint("check the URL and the credentials").Cause(err)
	}
	if prefix != "" {
		prefix += "/"
	}
	return &Store{bucket: b, prefix: prefix, name: withoutQuery(u)}, nil
}

// withoutQuery is the URL as messages show it: the query may hold credentials.
func withoutQuery(u *url.URL) string {
	at := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return at.String()
}

// Close frees the connections.
func (s *Store) Close() error { return s.bucket.Close() }

const contentType = "application/octet-stream"

// Create implements port.ObjectStore.
func (s *Store) Create(ctx context.Context, key string, content []byte) error {
	err := s.bucket.WriteAll(ctx, s.prefix+key, content, &blob.WriterOptions{IfNotExist: true, ContentType: contentType})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return port.ErrExists
	}
	return s.explain(ctx, "create", key, err)
}

// Put implements port.ObjectStore.
func (s *Store) Put(ctx context.Context, key string, content io.Reader) error {
	options := &blob.WriterOptions{ContentType: contentType}
	// A writer whose context has ended discards what was written so far.
	writing, discard := context.WithCancel(ctx)
	defer discard()
	w, err := s.bucket.NewWriter(writing, s.prefix+key, options)
	if err != nil {
		return s.explain(ctx, "store", key, err)
	}
	if _, err := io.Copy(w, content); err != nil {
		discard()
		return errors.Join(s.explain(ctx, "store", key, err), ignoreCanceled(w.Close()))
	}
	return s.explain(ctx, "store", key, w.Close())
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) || gcerrors.Code(err) == gcerrors.Canceled {
		return nil
	}
	return err
}

// Open implements port.ObjectStore.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, port.Object, error) {
	var r *blob.Reader
	err := withoutPanic(func() (err error) { r, err = s.bucket.NewReader(ctx, s.prefix+key, nil); return err })
	if err != nil {
		return nil, port.Object{}, s.explain(ctx, "open", key, err)
	}
	s.found.Store(true)
	return r, port.Object{Key: key, Size: r.Size(), ModTime: r.ModTime()}, nil
}

// List implements port.ObjectStore.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	options := &blob.ListOptions{Prefix: s.prefix + prefix}
	if after != "" {
		options.BeforeList = startAfter(s.prefix + after)
	}
	all := s.bucket.List(options)
	var found []port.Object
	for len(found) < limit {
		var o *blob.ListObject
		err := withoutPanic(func() (err error) { o, err = all.Next(ctx); return err })
		if err == io.EOF { //nolint:errorlint // one that wraps it is of a connection that broke off
			break
		}
		if err != nil {
			return nil, s.explain(ctx, "list", prefix, err)
		}
		if key := strings.TrimPrefix(o.Key, s.prefix); key > after {
			found = append(found, port.Object{Key: key, Size: o.Size, ModTime: o.ModTime})
		}
	}
	s.found.Store(true)
	return found, nil
}

// withoutPanic returns the panic of a driver as an error: Azure's takes it for granted
// that a response has every header, whoever sent it.
func withoutPanic(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the response is not one of the service: %v", p)
		}
	}()
	return do()
}

// startAfter lets the provider that can skip what comes before do so.
func startAfter(key string) func(as func(any) bool) error {
	return func(as func(any) bool) error {
		var google *storage.Query
		if as(&google) {
			google.StartOffset = key
		}
		return nil
	}
}

// Delete implements port.ObjectStore.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.bucket.Delete(ctx, s.prefix+key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return s.explain(ctx, "delete", key, err)
}

// explain returns the error with what could not be done, and where; after the context
// has ended, the context's cause is that of the error.
func (s *Store) explain(ctx context.Context, action, key string, err error) error {
	if err == nil {
		s.found.Store(true)
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s in %s: %w", action, key, s.name, context.Cause(ctx))
	}
	kind, hint := fault.Unavailable, ""
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		kind = fault.NotFound
		if action != "open" || s.isMissing(ctx) {
			return fault.New(fault.Invalid, "%s %s: the bucket of %s is missing", action, key, s.name).
				Hint("create it, or correct the URL of the state").Cause(err)
		}
	case gcerrors.PermissionDenied:
		kind, hint = fault.Denied, "allow these credentials to list, read, write and delete objects there"
	case gcerrors.ResourceExhausted:
		kind = fault.Exhausted
	}
	return fault.New(kind, "%s %s in %s", action, key, s.name).Hint("%s", hint).Cause(err)
}

// isMissing reports whether what was not found is the bucket, not the object. Only a
// bucket that nothing has been found in yet is looked for.
func (s *Store) isMissing(ctx context.Context) bool {
	if s.found.Load() {
		return false
	}
	_, err := s.bucket.List(&blob.ListOptions{Prefix: s.prefix}).Next(ctx)
	s.found.Store(err == nil || err == io.EOF) //nolint:errorlint // as in List
	return gcerrors.Code(err) == gcerrors.NotFound
}

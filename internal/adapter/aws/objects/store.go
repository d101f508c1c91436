// Package objects keeps objects in a bucket of Amazon S3, or of a service that is
// compatible with it.
package objects

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/slipway-cd/slipway/internal/port"
)

// Store keeps objects in a bucket.
type Store struct {
	client     *s3.Client
	bucket     string
	prefix     string // of all keys, with its slash
	name       string // for messages, without the query
	encryption types.ServerSideEncryption
	key        string      // of KMS; empty: the bucket's own
	found      atomic.Bool // the bucket was
}

var _ port.ObjectStore = (*Store)(nil)

// Close implements io.Closer: the connections are the SDK's, and end when idle.
func (s *Store) Close() error { return nil }

const contentType = "application/octet-stream"

// Create implements port.ObjectStore.
func (s *Store) Create(ctx context.Context, key string, content []byte) error {
	in := s.putInput(key, content)
	in.IfNoneMatch = aws.String("*")
	_, err := s.client.PutObject(ctx, in)
	if codeOf(err) == "PreconditionFailed" {
		return port.ErrExists
	}
	return s.explain(ctx, "create", key, err)
}

func (s *Store) putInput(key string, content []byte) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + key), Body: bytes.NewReader(content), ContentType: aws.String(contentType),
		ServerSideEncryption: s.encryption, SSEKMSKeyId: optional(s.key),
	}
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Put implements port.ObjectStore.
func (s *Store) Put(ctx context.Context, key string, content io.Reader) error {
	first, err := readPart(content)
	switch {
	case err != nil:
	case len(first) < partSize:
		_, err = s.client.PutObject(ctx, s.putInput(key, first))
	default:
		err = s.putParts(ctx, key, first, content)
	}
	return s.explain(ctx, "store", key, err)
}

// Open implements port.ObjectStore.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, port.Object, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)})
	if err != nil {
		return nil, port.Object{}, s.explain(ctx, "open", key, err)
	}
	s.found.Store(true)
	return &body{out.Body, func(err error) error { return s.explain(ctx, "read", key, err) }}, port.Object{Key: key, Size: aws.ToInt64(out.ContentLength), ModTime: aws.ToTime(out.LastModified)}, nil
}

// body is an object's content. Its errors say what was read.
type body struct {
	io.ReadCloser
	explain func(error) error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // one that wraps it is of a connection that broke off
		err = b.explain(err)
	}
	return n, err
}

// List implements port.ObjectStore.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.prefix + prefix)}
	if after != "" {
		in.StartAfter = aws.String(s.prefix + after)
	}
	var found []port.Object
	for len(found) < limit {
		in.MaxKeys = aws.Int32(int32(min(limit-len(found), maxKeys)))
		page, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, s.explain(ctx, "list", prefix, err)
		}
		s.found.Store(true)
		found = append(found, s.after(after, page.Contents)...)
		if !aws.ToBool(page.IsTruncated) || page.NextContinuationToken == nil {
			break
		}
		in.ContinuationToken = page.NextContinuationToken
	}
	return found[:min(len(found), limit)], nil
}

// maxKeys is the most that S3 lists at once.
const maxKeys = 1000

// after returns the objects whose keys come after that one, also of a service that does
// not know StartAfter.
func (s *Store) after(key string, page []types.Object) (found []port.Object) {
	for _, o := range page {
		if name := strings.TrimPrefix(aws.ToString(o.Key), s.prefix); name > key {
			found = append(found, port.Object{Key: name, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified)})
		}
	}
	return found
}

// Delete implements port.ObjectStore.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)})
	if codeOf(err) == "NoSuchKey" {
		return nil
	}
	return s.explain(ctx, "delete", key, err)
}

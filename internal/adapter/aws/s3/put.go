package s3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	// partSize is that of the parts of a large object, in bytes. S3 takes 10,000 parts.
	partSize = 64 << 20
	// maxUpload bounds one object, in bytes.
	maxUpload = 512 << 30
)

// Encryption is how S3 encrypts what is stored; the zero value is as the bucket says.
type Encryption struct{ KMSKey string }

func (e Encryption) algorithm() types.ServerSideEncryption {
	if e.KMSKey == "" {
		return ""
	}
	return types.ServerSideEncryptionAwsKms
}

// Create stores content under a key that is named after it, unless it is there already:
// created is false then, and nothing was changed. size is in bytes.
func (c *Client) Create(ctx context.Context, o Object, content io.ReaderAt, size int64, e Encryption) (created bool, err error) {
	if size > maxUpload {
		return false, fault.New(fault.Exhausted, "store %s: %d GiB are more than %d", o, size>>30, int64(maxUpload)>>30).
			Hint("put the data into the bucket yourself, and name it as a channel")
	}
	if err := c.session.Check(ctx); err != nil {
		return false, err
	}
	if _, err := c.Stat(ctx, o); err == nil {
		return false, nil // nothing is sent for what is there
	} else if !fault.Is(err, fault.NotFound) {
		return false, err
	}
	if size <= c.partSize {
		_, err = sdk(c).PutObject(ctx, &s3.PutObjectInput{
			Bucket: &o.Bucket, Key: &o.Key, Body: io.NewSectionReader(content, 0, size), IfNoneMatch: aws.String("*"),
			ServerSideEncryption: e.algorithm(), SSEKMSKeyId: optional(e.KMSKey),
		})
	} else {
		err = c.createInParts(ctx, o, content, size, e)
	}
	if isThere(err) { // another process was faster, or our own response was lost
		return false, nil
	}
	return err == nil, c.explain(ctx, "store "+o.String(), o, err)
}

func isThere(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed"
}

// createInParts aborts an upload that fails: its parts cost money, and no list of objects shows them.
func (c *Client) createInParts(ctx context.Context, o Object, content io.ReaderAt, size int64, e Encryption) (err error) {
	made, err := sdk(c).CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, ServerSideEncryption: e.algorithm(), SSEKMSKeyId: optional(e.KMSKey),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, abortErr := sdk(c).AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{Bucket: &o.Bucket, Key: &o.Key, UploadId: made.UploadId})
			err = errors.Join(err, abortErr)
		}
	}()
	parts := &types.CompletedMultipartUpload{}
	for at, n := int64(0), int32(1); at < size; at, n = at+c.partSize, n+1 {
		part, err := sdk(c).UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &o.Bucket, Key: &o.Key, UploadId: made.UploadId, PartNumber: aws.Int32(n),
			Body: io.NewSectionReader(content, at, min(c.partSize, size-at)),
		})
		if err != nil {
			return err
		}
		parts.Parts = append(parts.Parts, types.CompletedPart{
			PartNumber: aws.Int32(n), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC64NVME: part.ChecksumCRC64NVME,
		})
	}
	_, err = sdk(c).CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: made.UploadId, MultipartUpload: parts, IfNoneMatch: aws.String("*"),
	})
	return err
}

// Replace stores content whatever is there. It is for what names nothing by its content.
func (c *Client) Replace(ctx context.Context, o Object, content io.ReaderAt, size int64, e Encryption) error {
	if err := c.session.Check(ctx); err != nil {
		return err
	}
	_, err := sdk(c).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &o.Key, Body: io.NewSectionReader(content, 0, size), ServerSideEncryption: e.algorithm(), SSEKMSKeyId: optional(e.KMSKey),
	})
	return c.explain(ctx, "store "+o.String(), o, err)
}

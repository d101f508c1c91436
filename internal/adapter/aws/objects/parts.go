package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// S3 takes 5 MiB to 5 GiB a part, except for the last one, and 10,000 parts: objects of
// up to 160 GB. Source: Amazon S3's user guide, "Multipart upload limits".
const (
	partSize     = 16 << 20
	maxParts     = 10_000
	partsAtOnce  = 4 // held in memory, beside the one that is read
	abortTimeout = 10 * time.Second
)

// readPart reads up to a part. A shorter one than partSize is the last one.
func readPart(content io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(content, partSize))
}

// putParts stores content that is longer than a part. Unless all of it was stored, what
// was is discarded, also after ctx has ended: parts that stay cost money.
func (s *Store) putParts(ctx context.Context, key string, first []byte, rest io.Reader) error {
	made, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + key), ContentType: aws.String(contentType),
		ServerSideEncryption: s.encryption, SSEKMSKeyId: optional(s.key),
	})
	if err != nil {
		return err
	}
	u := &upload{store: s, key: made.Key, id: made.UploadId}
	if err = u.send(ctx, first, rest); err == nil {
		err = u.complete(ctx)
	}
	if err != nil {
		return errors.Join(err, u.abort(context.WithoutCancel(ctx)))
	}
	return nil
}

// upload is an object that is stored in parts.
type upload struct {
	store   *Store
	key, id *string

	mu   sync.Mutex
	done []types.CompletedPart
}

// send stores first and what follows it, some parts at once.
func (u *upload) send(ctx context.Context, first []byte, rest io.Reader) error {
	sending, ctx := errgroup.WithContext(ctx)
	sending.SetLimit(partsAtOnce)
	part, err := first, error(nil)
	for number := int32(1); err == nil && len(part) > 0 && ctx.Err() == nil; number++ {
		if number > maxParts {
			err = fmt.Errorf("the content is longer than %d GB", int64(maxParts)*partSize/1e9)
			break
		}
		content, at := part, number
		sending.Go(func() error { return u.sendPart(ctx, at, content) })
		part, err = readPart(rest)
	}
	return errors.Join(err, sending.Wait())
}

func (u *upload) sendPart(ctx context.Context, number int32, content []byte) error {
	out, err := u.store.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.store.bucket, Key: u.key, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(content),
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = append(u.done, types.CompletedPart{
		PartNumber: &number, ETag: out.ETag,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
	})
	return nil
}

func (u *upload) complete(ctx context.Context) error {
	slices.SortFunc(u.done, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	_, err := u.store.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.store.bucket, Key: u.key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.done},
	})
	return err
}

func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	_, err := u.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.store.bucket, Key: u.key, UploadId: u.id})
	if codeOf(err) == "NoSuchUpload" {
		return nil
	}
	return err
}

package awstest

import (
	"crypto/md5" //nolint:gosec // ETags are
	"encoding/hex"
	"fmt"
	"net/http"
)

// minPart is the least size of a part that is not the last, in bytes. Source: S3's user
// guide, "Amazon S3 multipart upload limits".
const minPart = 5 << 20

// upload is a multipart upload that has not been completed.
type upload struct {
	in    s3Input
	parts map[int]part
}

type part struct {
	etag string
	body []byte
}

type completedPart struct {
	ETag       string
	PartNumber int
}

func (c *Cloud) createMultipartUpload(call *Call) (any, error) {
	b, in, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("upload-%d", c.next())
	b.uploads[id] = &upload{in: in, parts: map[int]part{}}
	return &s3Output{members: map[string]any{"Bucket": in.Bucket, "Key": in.Key, "UploadId": id}}, nil
}

// uploadOf finds the upload of a request.
func (c *Cloud) uploadOf(call *Call) (*Bucket, *upload, s3Input, error) {
	b, in, err := c.bucketOf(call)
	if err != nil {
		return nil, nil, in, err
	}
	u := b.uploads[in.UploadID]
	if u == nil || u.in.Key != in.Key {
		return nil, nil, in, &Error{Code: "NoSuchUpload", Message: "The specified multipart upload does not exist.", Status: http.StatusNotFound}
	}
	return b, u, in, nil
}

func (c *Cloud) uploadPart(call *Call) (any, error) {
	_, u, in, err := c.uploadOf(call)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum(call.Body) //nolint:gosec // ETags are
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	u.parts[in.PartNumber] = part{etag, call.Body}
	members := (&Object{ETag: etag, Checksums: call.checksums}).described(true)
	return &s3Output{members: members}, nil
}

func (c *Cloud) completeMultipartUpload(call *Call) (any, error) {
	b, u, in, err := c.uploadOf(call)
	if err == nil {
		err = mayWrite(b, in)
	}
	if err != nil {
		return nil, err
	}
	var body []byte
	sums := md5.New() //nolint:gosec // ETags are
	for i, p := range in.MultipartUpload.Parts {
		own, ok := u.parts[p.PartNumber]
		switch {
		case !ok || own.etag != p.ETag:
			return nil, refuse("InvalidPart", "One or more of the specified parts could not be found.")
		case i > 0 && in.MultipartUpload.Parts[i-1].PartNumber >= p.PartNumber:
			return nil, refuse("InvalidPartOrder", "The list of parts was not in ascending order.")
		case i < len(in.MultipartUpload.Parts)-1 && len(own.body) < minPart:
			return nil, refuse("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		sum := md5.Sum(own.body) //nolint:gosec // ETags are
		_, _ = sums.Write(sum[:])
		body = append(body, own.body...)
	}
	if len(in.MultipartUpload.Parts) == 0 {
		return nil, refuse("MalformedXML", "an upload has a part at least")
	}
	etag := fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(sums.Sum(nil)), len(in.MultipartUpload.Parts))
	o := c.store(b, &Object{Key: in.Key, Body: body, ETag: etag, Metadata: u.in.Metadata, ContentType: u.in.ContentType, KMSKey: u.in.SSEKMSKeyID})
	delete(b.uploads, in.UploadID)
	members := o.described(false)
	members["Bucket"], members["Key"] = in.Bucket, in.Key
	return &s3Output{members: members}, nil
}

func (c *Cloud) abortMultipartUpload(call *Call) (any, error) {
	b, _, in, err := c.uploadOf(call)
	if err != nil {
		return nil, err
	}
	delete(b.uploads, in.UploadID)
	return &s3Output{}, nil
}

// Uploads counts the multipart uploads of a bucket that were neither completed nor
// aborted: they cost, and no listing shows them.
func (c *Cloud) Uploads(bucket string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.buckets[bucket]; b != nil {
		return len(b.uploads)
	}
	return 0
}

package awstest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (c *Cloud) s3() map[string]handler {
	all := map[string]handler{
		"HeadBucket": c.headBucket, "ListObjectsV2": c.listObjects,
		"PutObject": c.putObject, "GetObject": c.getObject, "HeadObject": c.getObject,
		"CreateMultipartUpload": c.createMultipartUpload, "UploadPart": c.uploadPart,
		"CompleteMultipartUpload": c.completeMultipartUpload, "AbortMultipartUpload": c.abortMultipartUpload,
	}
	maps.Copy(all, c.s3Settings())
	maps.Copy(all, c.s3Versions())
	return all
}

// s3Input are the members of requests about objects.
type s3Input struct {
	Bucket, Key, VersionID string
	IfMatch, IfNoneMatch   string
	Range                  string
	ChecksumMode           string
	ContentType            string
	Metadata               map[string]string
	SSEKMSKeyID            string
	ExpectedBucketOwner    string
	UploadID               string
	PartNumber             int
	MultipartUpload        struct{ Parts []completedPart }

	Prefix, Delimiter, StartAfter, ContinuationToken string
	MaxKeys                                          int
}

// bucketOf reads the input and finds its bucket.
func (c *Cloud) bucketOf(call *Call) (*Bucket, s3Input, error) {
	var in s3Input
	if err := call.Into(&in); err != nil {
		return nil, in, err
	}
	b := c.buckets[in.Bucket]
	switch {
	case b == nil:
		return nil, in, &Error{Code: "NoSuchBucket", Message: "The specified bucket does not exist", Status: http.StatusNotFound}
	case in.ExpectedBucketOwner != "" && in.ExpectedBucketOwner != c.Account:
		return nil, in, &Error{Code: "AccessDenied", Message: "Access Denied", Status: http.StatusForbidden}
	case b.Region != c.Region:
		return nil, in, &Error{
			Code: "PermanentRedirect", Message: "The bucket you are attempting to access must be addressed using the specified endpoint.",
			Status: http.StatusMovedPermanently, header: map[string]string{"X-Amz-Bucket-Region": b.Region},
		}
	}
	return b, in, nil
}

func (c *Cloud) headBucket(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	return &s3Output{members: map[string]any{"BucketRegion": b.Region}}, nil
}

var preconditionFailed = Error{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold", Status: http.StatusPreconditionFailed}

// mayWrite evaluates the conditions of a write.
func mayWrite(b *Bucket, in s3Input) error {
	now := b.newest(in.Key)
	if in.IfNoneMatch == "*" && now != nil || in.IfMatch != "" && (now == nil || now.ETag != in.IfMatch) {
		failed := preconditionFailed
		return &failed
	}
	return nil
}

func (c *Cloud) putObject(call *Call) (any, error) {
	b, in, err := c.bucketOf(call)
	if err == nil {
		err = mayWrite(b, in)
	}
	if err != nil {
		return nil, err
	}
	o := c.store(b, &Object{Key: in.Key, Body: call.Body, Checksums: call.checksums, Metadata: in.Metadata, ContentType: in.ContentType, KMSKey: in.SSEKMSKeyID})
	return &s3Output{members: o.described(true)}, nil
}

// described are the members that say what a version is.
func (o *Object) described(sums bool) map[string]any {
	m := map[string]any{"ETag": o.ETag, "ServerSideEncryption": "AES256"}
	if o.VersionID != "" {
		m["VersionId"] = o.VersionID
	}
	if o.KMSKey != "" {
		m["ServerSideEncryption"], m["SSEKMSKeyId"] = "aws:kms", o.KMSKey
	}
	for header, member := range map[string]string{
		"x-amz-checksum-crc32": "ChecksumCRC32", "x-amz-checksum-crc32c": "ChecksumCRC32C", "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
		"x-amz-checksum-sha1": "ChecksumSHA1", "x-amz-checksum-sha256": "ChecksumSHA256",
	} {
		if sums && o.Checksums[header] != "" {
			m[member] = o.Checksums[header]
		}
	}
	return m
}

// getObject also serves HeadObject: whoever writes the response leaves the body out.
func (c *Cloud) getObject(call *Call) (any, error) {
	b, in, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	o, err := b.find(in.Key, in.VersionID)
	if err != nil {
		return nil, err
	}
	if in.IfMatch != "" && in.IfMatch != o.ETag {
		failed := preconditionFailed
		return nil, &failed
	}
	if in.IfNoneMatch == o.ETag {
		return nil, &Error{Code: "NotModified", Status: http.StatusNotModified}
	}
	members := o.described(in.ChecksumMode == "ENABLED" && in.Range == "")
	members["LastModified"], members["AcceptRanges"] = o.ModTime, "bytes"
	if o.ContentType != "" {
		members["ContentType"] = o.ContentType
	}
	if len(o.Metadata) > 0 {
		members["Metadata"] = o.Metadata
	}
	out := &s3Output{members: members, body: o.Body}
	if in.Range == "" {
		return out, nil
	}
	return out, out.cut(in.Range, len(o.Body))
}

// cut leaves the bytes of a range, as in "bytes=5-9" or "bytes=5-".
func (out *s3Output) cut(text string, size int) error {
	var first, last int
	n, _ := fmt.Sscanf(text, "bytes=%d-%d", &first, &last)
	if n == 1 || last >= size {
		last = size - 1
	}
	if n == 0 || first >= size || last < first {
		return &Error{Code: "InvalidRange", Message: "The requested range is not satisfiable", Status: http.StatusRequestedRangeNotSatisfiable}
	}
	out.body, out.status = out.body[first:last+1], http.StatusPartialContent
	out.members["ContentRange"] = fmt.Sprintf("bytes %d-%d/%d", first, last, size)
	return nil
}

// maxListed is S3's limit for one response. Source: ListObjectsV2 in its API reference.
const maxListed = 1000

func (c *Cloud) listObjects(call *Call) (any, error) {
	b, in, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	if in.MaxKeys == 0 || in.MaxKeys > maxListed {
		in.MaxKeys = maxListed
	}
	after, n := max(in.StartAfter, in.ContinuationToken), 0
	out := map[string]any{"Name": in.Bucket, "Prefix": in.Prefix, "MaxKeys": in.MaxKeys, "IsTruncated": false}
	var contents, prefixes []any
	for _, key := range b.keys(in.Prefix) {
		if key <= after {
			continue
		}
		if n == in.MaxKeys {
			out["IsTruncated"], out["NextContinuationToken"] = true, after
			break
		}
		after = key
		if head, _, found := strings.Cut(key[len(in.Prefix):], in.Delimiter); found && in.Delimiter != "" {
			shared := map[string]any{"Prefix": in.Prefix + head + in.Delimiter}
			if !slices.ContainsFunc(prefixes, func(p any) bool { return p.(map[string]any)["Prefix"] == shared["Prefix"] }) {
				prefixes, n = append(prefixes, shared), n+1
			}
			continue
		}
		o := b.newest(key)
		contents, n = append(contents, map[string]any{"Key": key, "Size": len(o.Body), "ETag": o.ETag, "LastModified": o.ModTime, "StorageClass": "STANDARD"}), n+1
	}
	out["Contents"], out["CommonPrefixes"], out["KeyCount"] = contents, prefixes, n
	return &s3Output{members: out}, nil
}

package awstest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

const bucketName = "retail-artifacts"

func newBucket(t *testing.T) (*lab, *s3.Client) {
	t.Helper()
	l := newLab(t)
	l.AddBucket(awstest.Bucket{Name: bucketName})
	l.config.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported // as programs have it
	return l, s3.NewFromConfig(l.config)
}

func readAll(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// Keys with characters that S3 escapes otherwise than the other services, each by its
// signature and its checksum; versions; conditions.
func TestS3_Objects(t *testing.T) {
	l, client := newBucket(t)
	ctx := t.Context()
	for _, key := range []string{"a", "a b/ü+c&d=e", "sha256/0011.tar.gz", "x//y"} {
		put, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: &key, Body: strings.NewReader("one"), IfNoneMatch: aws.String("*"), Metadata: map[string]string{"commit": "abc"}})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: &key, Body: strings.NewReader("two"), IfNoneMatch: aws.String("*")})
		wantError(t, err, "PreconditionFailed")
		if _, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: &key, Body: strings.NewReader("two"), ExpectedBucketOwner: aws.String(awstest.Account)}); err != nil {
			t.Fatal(err)
		}
		old, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: &key, VersionId: put.VersionId})
		if err != nil {
			t.Fatal(err)
		}
		if text := readAll(t, old.Body); text != "one" || old.Metadata["commit"] != "abc" || aws.ToString(old.VersionId) != aws.ToString(put.VersionId) {
			t.Errorf("%s: version %s is %q, %v", key, aws.ToString(put.VersionId), text, old.Metadata)
		}
		part, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: &key, Range: aws.String("bytes=1-")})
		if err != nil {
			t.Fatal(err)
		}
		if text := readAll(t, part.Body); text != "wo" {
			t.Errorf("range is %q", text)
		}
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucketName), Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil || aws.ToInt64(head.ContentLength) != 3 || aws.ToString(head.ChecksumCRC32) == "" {
			t.Errorf("head %+v, %v", head, err)
		}
	}
	if keys := l.Keys(bucketName, "a"); !slices.Equal(keys, []string{"a", "a b/ü+c&d=e"}) {
		t.Errorf("keys %q", keys)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

func TestS3_List(t *testing.T) {
	l, client := newBucket(t)
	for _, key := range []string{"x/1", "x/2", "x/y/1", "x/y/2", "z"} {
		if _, err := l.PutObject(bucketName, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(bucketName), Prefix: aws.String("x/"), MaxKeys: aws.Int32(2)})
	var found []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			found = append(found, *o.Key)
		}
	}
	if !slices.Equal(found, []string{"x/1", "x/2", "x/y/1", "x/y/2"}) {
		t.Errorf("listed %q", found)
	}
	page, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucketName), Prefix: aws.String("x/"), Delimiter: aws.String("/")})
	if err != nil || len(page.Contents) != 2 || len(page.CommonPrefixes) != 1 || *page.CommonPrefixes[0].Prefix != "x/y/" {
		t.Errorf("by folders %+v, %v", page, err)
	}
}

func TestS3_Multipart(t *testing.T) {
	l, client := newBucket(t)
	ctx, key, bucket := t.Context(), aws.String("big"), aws.String(bucketName)
	made, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for i, text := range []string{strings.Repeat("a", 5<<20), "b"} {
		n := aws.Int32(int32(i + 1))
		p, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: made.UploadId, PartNumber: n, Body: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: p.ETag, PartNumber: n})
	}
	if n := l.Uploads(bucketName); n != 1 {
		t.Errorf("%d uploads", n)
	}
	done, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, IfNoneMatch: aws.String("*")})
	if err != nil || !strings.HasSuffix(*done.ETag, `-2"`) {
		t.Fatalf("%+v, %v", done, err)
	}
	if o, ok := l.Object(bucketName, "big"); !ok || len(o.Body) != 5<<20+1 || o.Body[5<<20] != 'b' || l.Uploads(bucketName) != 0 {
		t.Errorf("%d bytes, %d uploads", len(o.Body), l.Uploads(bucketName))
	}
	_, err = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: made.UploadId})
	wantError(t, err, "NoSuchUpload")
}

func TestS3_Errors(t *testing.T) {
	l, client := newBucket(t)
	ctx, key := t.Context(), aws.String("absent")
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: key})
	if absent := (*types.NoSuchKey)(nil); !errors.As(err, &absent) {
		t.Errorf("no key: %v", err)
	}
	_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucketName), Key: key})
	if absent := (*types.NotFound)(nil); !errors.As(err, &absent) {
		t.Errorf("no key, by HEAD: %v", err)
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("absent-bucket"), Key: key})
	wantError(t, err, "NoSuchBucket")
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: key, ExpectedBucketOwner: aws.String("999988887777")})
	wantError(t, err, "AccessDenied")
	l.AddBucket(awstest.Bucket{Name: "elsewhere", Region: "eu-west-1"})
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("elsewhere")})
	if err == nil || !strings.Contains(err.Error(), "301") {
		t.Errorf("a bucket in another region: %v", err)
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Throttled })
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: key})
	wantError(t, err, "SlowDown")
}

// A URL that anybody may fetch for a while, and content that is not what was signed.
func TestS3_Signatures(t *testing.T) {
	l, client := newBucket(t)
	if _, err := l.PutObject(bucketName, "a b", []byte("content")); err != nil {
		t.Fatal(err)
	}
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: aws.String("a b")})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int{signed.URL: http.StatusOK, strings.Replace(signed.URL, "a%20b", "other", 1): http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if text := readAll(t, res.Body); res.StatusCode != want || want == http.StatusOK && text != "content" {
			t.Errorf("%s: %s, %q", url, res.Status, text)
		}
	}
	l.config.HTTPClient = spoiling{l.Client}
	_, err = s3.NewFromConfig(l.config).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: aws.String("spoilt"), Body: strings.NewReader("content")})
	wantError(t, err, "BadDigest")
	if _, ok := l.Object(bucketName, "spoilt"); ok {
		t.Error("content that is not what its checksum says was stored")
	}
}

// spoiling changes one letter of what is sent.
type spoiling struct{ client *http.Client }

func (s spoiling) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte("content"), []byte("kontent"), 1)))
	return s.client.Do(r)
}

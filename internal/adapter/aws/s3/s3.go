// Package s3 stores and fetches what jobs read and write in S3: content under its
// digest, once, and archives of models in exactly one version.
package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Object is an object of S3 in one of its versions.
type Object struct {
	Bucket, Key string
	Version     string // empty: the newest, or the only one of a bucket without versions
}

// String is the object's URI, without its version.
func (o Object) String() string { return "s3://" + o.Bucket + "/" + o.Key }

// Parse reads s3://bucket/key.
func Parse(uri string) (Object, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" || strings.ContainsAny(rest, "?#") || strings.ContainsFunc(uri, isControl) {
		return Object{}, fault.New(fault.Invalid, "%q is not s3://bucket/key", uri)
	}
	return Object{Bucket: bucket, Key: key}, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Info is what S3 says of an object.
type Info struct {
	Object // with its version
	Size   int64
	ETag   string
}

// HasVersion reports whether the bucket keeps versions of the object. One from before it
// did is "null", and can be overwritten.
func (i Info) HasVersion() bool { return i.Version != "" && i.Version != "null" }

// Client reads and writes objects. It is safe for concurrent use.
type Client struct {
	session  *session.Session
	partSize int64 // of large objects, in bytes
}

// New returns a Client for the session. Nothing is sent yet.
func New(s *session.Session) *Client {
	return &Client{session: s, partSize: partSize}
}

// sdk makes the SDK's client where it is used: as a field, the linker would keep all of
// its operations.
func sdk(c *Client) *s3.Client { return s3.NewFromConfig(c.session.Config) }

// Stat looks an object up. One that does not exist is fault.NotFound.
func (c *Client) Stat(ctx context.Context, o Object) (Info, error) {
	out, err := sdk(c).HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version)})
	if err != nil {
		return Info{}, c.explain(ctx, "look up "+o.String(), o, err)
	}
	o.Version = aws.ToString(out.VersionId)
	return Info{Object: o, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag)}, nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// isAbsent goes by the code: a response to HEAD has no body, and so no other code.
func isAbsent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound" || api.ErrorCode() == "NoSuchVersion")
}

// explain adds what S3's own errors mean to those that all services have.
func (c *Client) explain(ctx context.Context, action string, o Object, err error) error {
	var api smithy.APIError
	var res *awshttp.ResponseError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket":
		return fault.New(fault.NotFound, "%s: the bucket %s does not exist", action, o.Bucket).Hint("create it, or correct its name in slipway.yaml")
	case isAbsent(err) && o.Version != "":
		return fault.New(fault.NotFound, "%s: version %s not found", action, o.Version)
	case isAbsent(err):
		return fault.New(fault.NotFound, "%s: it does not exist", action)
	case errors.As(err, &res) && res.HTTPStatusCode() == http.StatusMovedPermanently:
		return fault.New(fault.Invalid, "%s: the bucket %s is in %s, not in %s", action, o.Bucket, regionOf(res), c.session.Config.Region).
			Hint("everything is in one region: use a bucket in %s", c.session.Config.Region)
	}
	return c.session.Explain(ctx, action, err)
}

func regionOf(res *awshttp.ResponseError) string {
	if region := res.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
		return region
	}
	return "another region"
}

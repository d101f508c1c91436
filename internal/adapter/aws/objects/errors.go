package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
)

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
	switch codeOf(err) {
	case "NoSuchBucket":
		return s.missing(action, key, err)
	case "NoSuchKey", "NotFound":
		if action == "open" && !s.isMissing(ctx) {
			return fault.New(fault.NotFound, "%s %s in %s", action, key, s.name).Cause(err)
		}
		return s.missing(action, key, err)
	case "AccessDenied", "Forbidden":
		return fault.New(fault.Denied, "%s %s in %s", action, key, s.name).Hint("allow these credentials to list, read, write and delete objects there").Cause(err)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return fault.New(fault.Invalid, "%s %s in %s", action, key, s.name).Hint("the bucket is in another region: name that one, as in s3://%s?region=REGION", s.bucket).Cause(err)
	}
	explained := session.Explain(fmt.Sprintf("%s %s in %s", action, key, s.name), err)
	if fault.KindOf(explained) == fault.Failed {
		// S3 and what is compatible has many codes: none of them says what is stored now.
		return fault.New(fault.Unavailable, "%s %s in %s", action, key, s.name).Cause(err)
	}
	return explained
}

func (s *Store) missing(action, key string, err error) error {
	return fault.New(fault.Invalid, "%s %s: the bucket of %s is missing", action, key, s.name).
		Hint("create it, or correct the URL of the state").Cause(err)
}

// codeOf returns the code of an error of S3, or "".
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// isMissing reports whether what was not found is the bucket, not the object. Only a
// bucket that nothing has been found in yet is looked for.
func (s *Store) isMissing(ctx context.Context) bool {
	if s.found.Load() {
		return false
	}
	_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &s.prefix, MaxKeys: aws.Int32(1)})
	s.found.Store(err == nil)
	return codeOf(err) == "NoSuchBucket"
}

package objects

import (
	"context"
	"net/url"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes buckets of Amazon S3.
func Extension() extension.StateStore {
	return extension.StateStore{
		Kind: "s3", Schemes: []string{"s3"}, Description: "A bucket of Amazon S3, or of a service that is compatible.",
		Example: "s3://bucket/prefix?region=eu-west-1", Check: extension.CheckBucketURL,
		Open:   func(ctx context.Context, u *url.URL) (port.ObjectStore, error) { return Open(ctx, u) },
		Rights: Rights,
	}
}

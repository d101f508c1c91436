package bucket

import (
	"context"
	"net/url"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extensions describe the buckets of the three providers.
func Extensions() []extension.StateStore {
	store := func(kind extension.Kind, scheme, description, example string) extension.StateStore {
		return extension.StateStore{
			Kind: kind, Schemes: []string{scheme}, Description: description, Example: example, Check: check,
			Open: func(ctx context.Context, u *url.URL) (port.ObjectStore, error) { return Open(ctx, u) },
		}
	}
	return []extension.StateStore{
		store("s3", "s3", "A bucket of Amazon S3, or of a service that is compatible.", "s3://bucket/prefix?region=eu-west-1"),
		store("gcs", "gs", "A bucket of Google Cloud Storage.", "gs://bucket/prefix"),
		store("azblob", "azblob", "A container of Azure Blob Storage.", "azblob://container/prefix?storage_account=name"),
	}
}

func check(u *url.URL) error {
	switch {
	case u.Host == "":
		return fault.New(fault.Invalid, "the URL of the shared state names no bucket").Hint("write it as %s://BUCKET/PREFIX", u.Scheme)
	case u.User != nil:
		return fault.New(fault.Invalid, "the URL of the shared state holds a user").Hint("leave credentials to the variables and files of the provider's own tools")
	}
	return nil
}

package bucket

import (
	"context"
	"net/url"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extensions describe the buckets of the two providers.
func Extensions() []extension.StateStore {
	store := func(kind extension.Kind, scheme, description, example string) extension.StateStore {
		return extension.StateStore{
			Kind: kind, Schemes: []string{scheme}, Description: description, Example: example, Check: extension.CheckBucketURL,
			Open: func(ctx context.Context, u *url.URL) (port.ObjectStore, error) { return Open(ctx, u) },
		}
	}
	return []extension.StateStore{
		store("gcs", "gs", "A bucket of Google Cloud Storage.", "gs://bucket/prefix"),
		store("azblob", "azblob", "A container of Azure Blob Storage.", "azblob://container/prefix?storage_account=name"),
	}
}

package port

import (
	"context"
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Datasets are training data in a store of objects: one object, or all below a prefix
// that ends with a slash.
type Datasets interface {
	// Pin returns what is at the URI now, without reading it. Nothing there is
	// fault.NotFound, more objects than the adapter's limit are fault.Exhausted, and a
	// URI of another form fault.Invalid.
	Pin(ctx context.Context, uri string) (delivery.Dataset, error)
	// Fetch brings what was pinned into dir, a folder that exists and is empty, under
	// DatasetName: a file, or a folder with what follows the prefix. What has changed
	// since is fault.Conflict, unless its version is still there; more bytes than the
	// adapter's limit are fault.Exhausted, and then nothing is fetched. What was written
	// when it fails stays: the caller removes the folder.
	Fetch(ctx context.Context, d delivery.Dataset, dir string) error
}

// DatasetName is the last name in the URI of a dataset.
func DatasetName(uri string) string { return path.Base(strings.TrimSuffix(uri, "/")) }

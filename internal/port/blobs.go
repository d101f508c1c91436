package port

import (
	"context"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Blob names what Blobs.Save stored, by its content.
type Blob struct {
	Digest delivery.Digest `json:"digest"`           // of the file, or of the list of a folder's files
	Folder bool            `json:"folder,omitempty"` //
	Size   int64           `json:"size"`             // bytes, of all files together
}

// Blobs keeps content under its digest, for other machines: the same content is stored
// once. Nothing that is read from it has another digest than the one that was asked
// for: that is fault.Corrupt. What is not there is fault.NotFound: it may have been
// removed, so whoever saves keeps a way to make it again. Safe for concurrent use.
type Blobs interface {
	// Save stores a file, or a folder with all files below it. Modes count as far as
	// a file can be executed; empty folders do not count. A link, a device or the like
	// is fault.Invalid.
	Save(ctx context.Context, path string) (Blob, error)
	// Fetch makes path hold exactly what was saved, whole or not at all. What is there
	// already stays, if it is the same, and is replaced otherwise.
	Fetch(ctx context.Context, b Blob, path string) error
	// Put stores content of that digest and size, unless it is there. open is called
	// each time the content is read.
	Put(ctx context.Context, digest delivery.Digest, size int64, open func() (io.ReadCloser, error)) error
	// Open returns content, which the caller closes. The last read fails if its digest
	// is another one.
	Open(ctx context.Context, digest delivery.Digest) (content io.ReadCloser, size int64, err error)
}

// SharedBlobs are Blobs that also keep sets of digests, under names of any text: what
// refers to a manifest, for example.
type SharedBlobs interface {
	Blobs
	// AddTo adds a digest to a set. Once it is there, it stays.
	AddTo(ctx context.Context, set string, d delivery.Digest) error
	// Members returns the digests of a set, in their order; none of one that does not exist.
	Members(ctx context.Context, set string) ([]delivery.Digest, error)
}

package registry

import (
	"context"
	"io"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	// maxDocument bounds metrics and lineage, in bytes.
	maxDocument = 1 << 20
	// maxKept is how many documents are kept in memory: they are named by their content.
	maxKept = 128
)

// objects are what versions refer to in S3.
type objects struct {
	client *s3.Client

	mu        sync.Mutex
	documents map[delivery.Digest][]byte
}

func newObjects(c *s3.Client) *objects {
	return &objects{client: c, documents: map[delivery.Digest][]byte{}}
}

// put stores content under a URI that is named after it.
func (o *objects) put(ctx context.Context, uri string, content io.ReaderAt, size int64) error {
	at, err := s3.Parse(uri)
	if err != nil {
		return err
	}
	_, err = o.client.Create(ctx, at, content, size, s3.Encryption{})
	return err
}

// readPinned reads a document that has to have the digest; anything else was overwritten,
// or removed, and is fault.Corrupt.
func (o *objects) readPinned(ctx context.Context, uri string, digest delivery.Digest) ([]byte, error) {
	o.mu.Lock()
	raw, known := o.documents[digest]
	o.mu.Unlock()
	if known {
		return raw, nil
	}
	at, err := s3.Parse(uri)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "%q is not a valid URI of an object of S3", uri)
	}
	raw, err = o.client.Read(ctx, at, maxDocument)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Exhausted) {
		return nil, fault.New(fault.Corrupt, "%s was removed or overwritten", uri).Cause(err)
	}
	if err != nil {
		return nil, err
	}
	if got := delivery.DigestOf(raw); got != digest {
		return nil, fault.New(fault.Corrupt, "%s was overwritten: it has the digest %s, not %s", uri, got.Short(), digest.Short()).
			Hint("restore the version of the object that was registered, or register the model again")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.documents) >= maxKept {
		clear(o.documents)
	}
	o.documents[digest] = raw
	return raw, nil
}

package port

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrExists is the error of ObjectStore.Create for a key that is taken.
var ErrExists = errors.New("the object exists already")

// Object describes a stored object.
type Object struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // by the store's own clock
}

// ObjectStore keeps objects under keys: in a bucket, a folder or a database. A key is
// a relative path with slashes, of letters, digits, "-", "_", "." and ":". Every method
// is safe for concurrent use, across processes and machines too, and returns when ctx
// ends. What one call stored, every later call sees.
type ObjectStore interface {
	// Create stores an object unless the key is taken: that is ErrExists, whatever the
	// object holds. Of several calls for one key exactly one succeeds. After any other
	// error it is open whether the object was stored, now or in a moment.
	Create(ctx context.Context, key string, content []byte) error
	// Put stores an object, in place of another one of the key. Readers see the old
	// content or the new one.
	Put(ctx context.Context, key string, content io.Reader) error
	// Open returns the object's content, which the caller closes; fault.NotFound
	// without one.
	Open(ctx context.Context, key string) (io.ReadCloser, Object, error)
	// List returns up to limit objects whose keys begin with the prefix and come after
	// the key, in the order of the keys' bytes. Fewer than limit are the last ones.
	List(ctx context.Context, prefix, after string, limit int) ([]Object, error)
	// Delete removes an object; without one it does nothing.
	Delete(ctx context.Context, key string) error
}

// objectPage is how many objects are listed at once.
const objectPage = 1000

// AllObjects lists all objects whose keys begin with the prefix, page by page. It ends at
// the first error.
func AllObjects(ctx context.Context, store ObjectStore, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for after := ""; ; {
			found, err := store.List(ctx, prefix, after, objectPage)
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range found {
				if !yield(o, nil) {
					return
				}
				after = o.Key
			}
			if len(found) < objectPage {
				return
			}
		}
	}
}

package fake

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ObjectStore keeps objects in memory. The zero value is an empty store.
type ObjectStore struct {
	// Before is called before each call takes effect; an error is returned instead.
	Before func(method, key string) error
	// After is called after each call has taken effect; an error is returned in place
	// of the result: the answer is lost.
	After func(method, key string) error
	Clock func() time.Time // nil: time.Now

	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	content []byte
	at      time.Time
}

var _ port.ObjectStore = (*ObjectStore)(nil)

// call runs do between the hooks.
func (s *ObjectStore) call(ctx context.Context, method, key string, do func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.Before != nil {
		if err := s.Before(method, key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.objects == nil {
		s.objects = map[string]object{}
	}
	err := do()
	s.mu.Unlock()
	if err == nil && s.After != nil {
		err = s.After(method, key)
	}
	return err
}

func (s *ObjectStore) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}

// Create implements port.ObjectStore.
func (s *ObjectStore) Create(ctx context.Context, key string, content []byte) error {
	return s.call(ctx, "Create", key, func() error {
		if _, ok := s.objects[key]; ok {
			return port.ErrExists
		}
		s.objects[key] = object{slices.Clone(content), s.now()}
		return nil
	})
}

// Put implements port.ObjectStore.
func (s *ObjectStore) Put(ctx context.Context, key string, content io.Reader) error {
	all, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return s.call(ctx, "Put", key, func() error {
		s.objects[key] = object{all, s.now()}
		return nil
	})
}

// Open implements port.ObjectStore.
func (s *ObjectStore) Open(ctx context.Context, key string) (r io.ReadCloser, o port.Object, err error) {
	err = s.call(ctx, "Open", key, func() error {
		found, ok := s.objects[key]
		if !ok {
			return fault.New(fault.NotFound, "object %s not found", key)
		}
		r, o = io.NopCloser(bytes.NewReader(found.content)), port.Object{Key: key, Size: int64(len(found.content)), ModTime: found.at}
		return nil
	})
	return r, o, err
}

// List implements port.ObjectStore.
func (s *ObjectStore) List(ctx context.Context, prefix, after string, limit int) (found []port.Object, err error) {
	err = s.call(ctx, "List", prefix, func() error {
		for key, o := range s.objects {
			if strings.HasPrefix(key, prefix) && key > after {
				found = append(found, port.Object{Key: key, Size: int64(len(o.content)), ModTime: o.at})
			}
		}
		slices.SortFunc(found, func(a, b port.Object) int { return strings.Compare(a.Key, b.Key) })
		found = found[:min(limit, len(found))]
		return nil
	})
	return found, err
}

// Delete implements port.ObjectStore.
func (s *ObjectStore) Delete(ctx context.Context, key string) error {
	return s.call(ctx, "Delete", key, func() error {
		delete(s.objects, key)
		return nil
	})
}

// Change replaces an object's content behind the callers' backs.
func (s *ObjectStore) Change(key string, change func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	o.content = change(slices.Clone(o.content))
	s.objects[key] = o
}

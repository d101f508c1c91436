// Package blobs keeps files and folders in an object store, under the digests of what
// they contain. A folder is a list of its files, which is stored after them: if the list
// is there, so are the files.
package blobs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Prefix begins the keys of all blobs.
const Prefix = "blob/sha256/"

const (
	// RefreshAge is the age at which content that is saved again is stored anew, so that
	// what is much older can be removed: no run that has just saved it relies on it.
	RefreshAge = 7 * 24 * time.Hour
	// maxTogether is how many files are transferred at once.
	maxTogether = 8
	// tries and pause are for a store that does not respond for a moment.
	tries = 4
	pause = 250 * time.Millisecond
)

// Store keeps blobs in an object store.
type Store struct {
	Objects port.ObjectStore
	Clock   func() time.Time // nil: time.Now

	mu      sync.Mutex
	damaged map[delivery.Digest]bool // found to be something else: stored anew when it is saved
}

var _ port.Blobs = (*Store)(nil)

// Key returns the key of the object that holds content.
func Key(d delivery.Digest) string { return Prefix + d.Hex() }

// DigestOf returns the digest that a key names; ok is false for a key of something else.
func DigestOf(key string) (d delivery.Digest, ok bool) {
	hex, ok := strings.CutPrefix(key, Prefix)
	d = delivery.DigestFromHex(hex)
	return d, ok && d.Valid()
}

// Put implements port.Blobs.
func (s *Store) Put(ctx context.Context, d delivery.Digest, size int64, open func() (io.ReadCloser, error)) error {
	if !d.Valid() {
		return fault.New(fault.Invalid, "invalid digest %q of a blob", d)
	}
	fresh, err := s.isFresh(ctx, d, size)
	if err != nil || fresh {
		return err
	}
	return retry(ctx, func() error { return s.upload(ctx, d, open) })
}

// isFresh reports whether the content is there, and will be for a while.
func (s *Store) isFresh(ctx context.Context, d delivery.Digest, size int64) (fresh bool, err error) {
	if s.isDamaged(d) {
		return false, nil
	}
	err = retry(ctx, func() error {
		found, err := s.Objects.List(ctx, Key(d), "", 1)
		fresh = err == nil && len(found) == 1 && found[0].Key == Key(d) && (size < 0 || found[0].Size == size) && s.now().Sub(found[0].ModTime) < RefreshAge
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for blob %s: %w", d.Short(), err)
	}
	return fresh, nil
}

func (s *Store) upload(ctx context.Context, d delivery.Digest, open func() (io.ReadCloser, error)) error {
	content, err := open()
	if err != nil {
		return err
	}
	defer content.Close()
	checked := &checkedReader{r: content, want: d, sum: sha256.New()}
	if err := s.Objects.Put(ctx, Key(d), checked); err != nil {
		// What was wrong with the content counts, not what the store made of it.
		return fmt.Errorf("store blob %s: %w", d.Short(), cmp.Or(checked.failed, err))
	}
	s.setDamaged(d, false)
	return nil
}

// Open implements port.Blobs.
func (s *Store) Open(ctx context.Context, d delivery.Digest) (content io.ReadCloser, size int64, err error) {
	if !d.Valid() {
		return nil, 0, fault.New(fault.Invalid, "invalid digest %q of a blob", d)
	}
	err = retry(ctx, func() error {
		var o port.Object
		content, o, err = s.Objects.Open(ctx, Key(d))
		size = o.Size
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read blob %s: %w", d.Short(), err)
	}
	return &checkedReader{r: content, closer: content, want: d, sum: sha256.New(), found: func(ok bool) { s.setDamaged(d, !ok) }}, size, nil
}

func (s *Store) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}

func (s *Store) isDamaged(d delivery.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[d]
}

func (s *Store) setDamaged(d delivery.Digest, damaged bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged == nil {
		s.damaged = map[delivery.Digest]bool{}
	}
	s.damaged[d] = damaged
}

// checkedReader fails at the end of content that has another digest.
type checkedReader struct {
	r      io.Reader
	closer io.Closer
	want   delivery.Digest
	sum    hash.Hash
	found  func(ok bool) // nil: nothing to call
	failed error         // of the last read
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if !errors.Is(err, io.EOF) {
		c.failed = err
		return n, err
	}
	got := delivery.DigestFromHash(c.sum)
	if c.found != nil {
		c.found(got == c.want)
	}
	if got != c.want {
		c.failed = fault.New(fault.Corrupt, "blob %s has the content of %s", c.want.Short(), got.Short())
		return n, c.failed
	}
	return n, io.EOF
}

func (c *checkedReader) Close() error { return c.closer.Close() }

// retry tries again if the store did not respond.
func retry(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if kind := fault.KindOf(err); err == nil || n == tries || ctx.Err() != nil || kind != fault.Unavailable && kind != fault.Exhausted {
			return err
		}
		if ended := wait.Sleep(ctx, pause<<n); ended != nil {
			return ended
		}
	}
}

// Package statelog is the state that many machines share: a log of numbered, immutable
// entries in an object store. An entry is created only if its number is free, so the
// store decides which of two changes came first; no lock is held, and no clock matters.
// Each entry names the digest of the one before it: an entry that was changed or is
// missing is found by whoever reads on.
package statelog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Format is the form of logs that are written now.
const Format = 1

// maxEntry is the largest entry, in bytes: what is larger was not written by Slipway.
const maxEntry = 64 << 20

// ErrTaken is the error of Append if another entry has the number.
var ErrTaken = errors.New("another entry was added to the shared state")

// Identity distinguishes a log from others. It is written once, when the log begins.
type Identity struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"` // random
	Created time.Time `json:"created"`
}

// Position is a place in a log: after an entry.
type Position struct {
	N      int64           `json:"n"`                // number of the entry; 0: before the first
	Digest delivery.Digest `json:"digest,omitempty"` // of its bytes
}

// Entry is one change.
type Entry struct {
	N      int64           `json:"n"`
	Prev   delivery.Digest `json:"prev,omitempty"` // of the entry before; empty: this is the first
	ID     string          `json:"id"`             // random; tells it from another one with the same rows
	Schema int             `json:"schema"`         // version of the records that the rows are of
	At     time.Time       `json:"at"`             // for people: nothing depends on it
	Rows   json.RawMessage `json:"rows,omitempty"`
	// Packed is the digest of the object that holds the rows instead, if they are many.
	Packed delivery.Digest `json:"packed,omitempty"`
}

// Log is one log. It is safe for concurrent use.
type Log struct {
	Store    port.ObjectStore
	Identity Identity

	confirmed confirmation
}

const identityKey = "log.json"

// EntryPrefix begins the keys of the entries.
const EntryPrefix = "log/"

// EntryNumber returns the number of the entry that a key is of.
func EntryNumber(key string) (n int64, ok bool) { return numberOf(key, EntryPrefix) }

func entryKey(n int64) string { return fmt.Sprintf(EntryPrefix+"%012d.json", n) }

// Open finds the log in the store. One that is empty begins a new log, once it has
// shown that it creates an object only if there is none.
func Open(ctx context.Context, store port.ObjectStore, now time.Time) (*Log, error) {
	l := &Log{Store: store}
	raw, err := l.get(ctx, identityKey)
	if fault.Is(err, fault.NotFound) {
		raw, err = l.begin(ctx, now)
	}
	if err != nil {
		return nil, fmt.Errorf("open the shared state: %w", err)
	}
	return l, l.identify(raw)
}

// Find finds the log in the store and begins none: without one it is fault.NotFound.
func Find(ctx context.Context, store port.ObjectStore) (*Log, error) {
	l := &Log{Store: store}
	raw, err := l.get(ctx, identityKey)
	if err != nil {
		return nil, fmt.Errorf("open the shared state: %w", err)
	}
	return l, l.identify(raw)
}

// identify reads the log's identity.
func (l *Log) identify(raw []byte) error {
	if err := json.Unmarshal(raw, &l.Identity); err != nil || l.Identity.ID == "" {
		return fault.New(fault.Corrupt, "read the shared state: %s is not Slipway's", identityKey).Cause(err).
			Hint("name an empty place, or restore the object from a backup")
	}
	if l.Identity.Format > Format {
		return newer("the shared state has format %d, this one knows %d", l.Identity.Format, Format)
	}
	return nil
}

// begin writes the identity of a new log, or returns that of whoever was faster.
func (l *Log) begin(ctx context.Context, now time.Time) ([]byte, error) {
	if err := l.probe(ctx); err != nil {
		return nil, err
	}
	found, err := l.Store.List(ctx, EntryPrefix, "", 1)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, fault.New(fault.Corrupt, "the shared state has entries, but %s is missing", identityKey).Hint("restore it from a backup")
	}
	raw, err := json.Marshal(Identity{Format: Format, ID: rand.Text(), Created: now.UTC()})
	if err != nil {
		return nil, err
	}
	if err := l.Store.Create(ctx, identityKey, raw); err != nil && !errors.Is(err, port.ErrExists) {
		return nil, err
	}
	return l.get(ctx, identityKey)
}

// probe refuses a store that overwrites what it should create only if absent: two
// machines would both believe that their entry counts.
func (l *Log) probe(ctx context.Context) error {
	key := probePrefix + rand.Text()
	if err := l.Store.Create(ctx, key, []byte("1")); err != nil {
		return err
	}
	err := l.Store.Create(ctx, key, []byte("2"))
	if gone := l.Store.Delete(ctx, key); gone != nil {
		return gone
	}
	if err == nil {
		return fault.New(fault.Invalid, "the store overwrites objects that should only be created if absent").
			Hint("use one that honors conditional writes (S3: If-None-Match)")
	}
	if errors.Is(err, port.ErrExists) {
		return nil
	}
	return err
}

// Append adds the entry after the position and returns its own. ErrTaken means that
// another entry is there. It returns another error only if ctx has ended, or the
// store refuses it for good: until then an entry whose answer was lost is looked up, so
// that the caller never has to guess.
func (l *Log) Append(ctx context.Context, after Position, e Entry) (Position, error) {
	e.N, e.Prev, e.ID, e.At = after.N+1, after.Digest, rand.Text(), e.At.UTC()
	e, err := l.pack(ctx, e)
	if err != nil {
		return after, err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return after, fmt.Errorf("encode entry %d of the shared state: %w", e.N, err)
	}
	mine := Position{N: e.N, Digest: delivery.DigestOf(raw)}
	for pause := minRetryWait; ; pause = min(2*pause, maxRetryWait) {
		err := l.Store.Create(ctx, entryKey(e.N), raw)
		if err == nil {
			return mine, l.checkAdded(ctx, after, e.N)
		}
		there, readErr := l.get(ctx, entryKey(e.N))
		switch {
		case readErr == nil && bytes.Equal(there, raw):
			return mine, nil // the answer was lost, or an earlier attempt arrived late
		case readErr == nil:
			return after, ErrTaken
		case ctx.Err() != nil || isPermanent(err):
			return after, fmt.Errorf("add entry %d to the shared state: %w", e.N, err)
		}
		if ended := wait.Sleep(ctx, pause); ended != nil {
			return after, fmt.Errorf("add entry %d to the shared state: %w (%w)", e.N, err, ended)
		}
	}
}

// checkAdded returns ErrTaken if the entry, which was just created, was there before and
// was removed: the writer was paused for so long that the log has gone on without it.
func (l *Log) checkAdded(ctx context.Context, after Position, n int64) error {
	if l.confirmed.covers(after.N) {
		return nil
	}
	pruned, err := l.prunedAfter(ctx, after.N)
	if err == nil && pruned {
		err = ErrTaken
		if gone := l.Store.Delete(ctx, entryKey(n)); gone != nil {
			err = gone
		}
	}
	if err != nil {
		return fmt.Errorf("add entry %d to the shared state: %w", n, err)
	}
	return nil
}

// How long to wait before a store that does not respond is tried again.
const (
	minRetryWait = 50 * time.Millisecond
	maxRetryWait = 5 * time.Second
)

// insist runs do until it succeeds, ctx ends, or the store refuses it for good.
func insist(ctx context.Context, do func() error) error {
	for pause := minRetryWait; ; pause = min(2*pause, maxRetryWait) {
		err := do()
		if err == nil || ctx.Err() != nil || isPermanent(err) {
			return err
		}
		if ended := wait.Sleep(ctx, pause); ended != nil {
			return fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// isPermanent reports whether trying again can't help.
func isPermanent(err error) bool {
	return fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Internal)
}

// get returns an object's content.
func (l *Log) get(ctx context.Context, key string) ([]byte, error) {
	return l.getUpTo(ctx, key, maxEntry)
}

func (l *Log) getUpTo(ctx context.Context, key string, limit int64) ([]byte, error) {
	r, o, err := l.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if o.Size > limit {
		return nil, fault.New(fault.Corrupt, "object %s of the shared state has %d bytes", key, o.Size).
			Hint("restore it from a backup or an older version")
	}
	return io.ReadAll(io.LimitReader(r, limit))
}

func newer(format string, args ...any) error {
	return fault.New(fault.Conflict, "the shared state was written by a newer Slipway: "+format, args...).Hint("update slipway on this machine")
}

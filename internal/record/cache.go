package record

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// Cache keeps step results by the digest of everything that they depend on.
type Cache interface {
	// Put keeps a successful result; the newest one of a key stays.
	Put(ctx context.Context, key delivery.Digest, run delivery.RunID, r step.Result) error
	// Lookup returns the result of a key; ok is false if there is none.
	Lookup(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error)
	// Peek is Lookup that does not count as a use, and changes nothing.
	Peek(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error)
	// Prune removes the results that were last put or looked up before the given
	// time, and returns how many. A removed result costs time, never correctness:
	// its step runs again.
	Prune(ctx context.Context, unusedSince time.Time) (int, error)
	// CountUnused returns how many results Prune would remove.
	CountUnused(ctx context.Context, unusedSince time.Time) (int, error)
}

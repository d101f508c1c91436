package record

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Ownership is a claim on a run: while it is the newest one, its holder alone works on
// the run.
type Ownership struct {
	Run    delivery.RunID
	Epoch  int64  // 1 for the first claim, one more for each; 0: there was none
	Holder string // machine and process, for people
	// Machine identifies the holder's machine: another process there finds out by a file
	// lock whether the holder still runs.
	Machine string
	Since   time.Time // when it was claimed, by the holder's clock: for people
}

// Owners keep who works on the runs that several machines can reach. Every claim has an
// epoch, which every change of its holder carries (AsOwner): one that was paused, and
// replaced meanwhile, changes nothing any more, whatever the clocks are.
type Owners interface {
	// Owner returns the newest claim on a run; the zero Ownership but for Run without one.
	Owner(ctx context.Context, run delivery.RunID) (Ownership, error)
	// Claim makes o the newest claim, one epoch after o.Epoch, which the caller has seen.
	// If the run was claimed since, it is fault.Conflict.
	Claim(ctx context.Context, o Ownership) (Ownership, error)
	// Beat records that the holder of the claim is alive. It may be called for the claim
	// that is about to be made.
	Beat(ctx context.Context, run delivery.RunID, epoch int64) error
	// SinceBeat returns how long ago the last Beat of the claim was, by a clock that all
	// machines share; ok is false if there was none, or the holder let the run go.
	SinceBeat(ctx context.Context, run delivery.RunID, epoch int64) (since time.Duration, ok bool, err error)
	// Release forgets the beats of a claim, so that the next one need not wait.
	Release(ctx context.Context, run delivery.RunID, epoch int64) error
}

type ownerKey struct{}

// AsOwner returns a context under which the records are changed in the name of the
// claim: with a newer one, a change is fault.Conflict and changes nothing.
func AsOwner(ctx context.Context, o Ownership) context.Context {
	return context.WithValue(ctx, ownerKey{}, o)
}

// OwnerFrom returns the claim in whose name a context changes the records.
func OwnerFrom(ctx context.Context) (o Ownership, ok bool) {
	o, ok = ctx.Value(ownerKey{}).(Ownership)
	return o, ok
}

package port

import (
	"context"
	"iter"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ReleaseStore keeps release records. A saved release never changes; only its
// newest origin and its quarantine do. Every method is atomic and safe across
// processes.
type ReleaseStore interface {
	// Save keeps the release under its name, and adds the origin unless the
	// release has one of the same run. Saving the same content again returns the
	// first record, also one of form 1 under its own name, with the newest origin.
	Save(ctx context.Context, r delivery.Release, o delivery.Origin) (delivery.ReleaseRecord, error)
	// Import keeps a release that another machine recorded under the name that it
	// has there, also if this machine has the same content under another one. A
	// record whose name is not that of its content is fault.Corrupt. An Unsigned one
	// changes nothing that is known already; a trusted one, and Save, take the place
	// of an Unsigned one.
	Import(ctx context.Context, r delivery.ReleaseRecord) (delivery.ReleaseRecord, error)
	// Get returns a release; fault.NotFound if there is none. A record whose
	// content does not match its digest is fault.Corrupt.
	Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error)
	// List returns a page of the releases that the filter selects, newest first.
	// next is where the list goes on; empty: this was the end.
	List(ctx context.Context, f ReleaseFilter, page Page) (releases []delivery.ReleaseRecord, next Cursor, err error)
	// Quarantine keeps content out of every environment: a recorded release, with
	// all that has the same content or was made from the same inputs, now or
	// later; or all releases that have a part. With a configuration, the release
	// and others stay free to run with another one. A second quarantine of the same
	// leaves the first and its reason.
	Quarantine(ctx context.Context, q delivery.Quarantine) error
	// FindQuarantine returns what keeps out the release with the configuration that
	// it has here, made from the inputs; nil: nothing does. The release need not be
	// recorded.
	FindQuarantine(ctx context.Context, r delivery.Release, in delivery.Inputs) (*delivery.Quarantine, error)
	// Unquarantine ends what keeps the release out, quarantines of its parts and
	// with configurations included; with the name of a configuration, only that
	// one. Who did it and why stay in the records. A release that is not
	// quarantined is fault.Conflict.
	Unquarantine(ctx context.Context, id delivery.ReleaseID, by delivery.Actor, reason string) error
	// Quarantines returns the quarantines that hold the release or held it, oldest
	// first.
	Quarantines(ctx context.Context, id delivery.ReleaseID) ([]delivery.Quarantine, error)
}

// ReleaseFilter selects releases; the zero value selects all.
type ReleaseFilter struct {
	Quarantined bool // only those that a quarantine holds
}

// AllReleases lists all releases that the filter selects, page by page.
func AllReleases(ctx context.Context, s ReleaseStore, f ReleaseFilter) iter.Seq2[delivery.ReleaseRecord, error] {
	return All(ctx, func(ctx context.Context, page Page) ([]delivery.ReleaseRecord, Cursor, error) {
		return s.List(ctx, f, page)
	})
}

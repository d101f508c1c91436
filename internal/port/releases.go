package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ReleaseStore keeps release records. A saved release never changes; only its
// quarantine does. Every method is atomic and safe across processes.
type ReleaseStore interface {
	// Save keeps the release under its digest; saving the same content again
	// returns the first record.
	Save(ctx context.Context, run delivery.RunID, r delivery.Release) (delivery.ReleaseRecord, error)
	// Get returns a release; fault.NotFound if there is none. A record whose
	// content does not match its digest is fault.Corrupt.
	Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error)
	// List returns up to limit releases, newest first (0: all).
	List(ctx context.Context, limit int) ([]delivery.ReleaseRecord, error)
	// Quarantine keeps the release out of every environment. A second quarantine
	// leaves the first and its reason.
	Quarantine(ctx context.Context, q delivery.Quarantine) error
	// Unquarantine ends the quarantine; who did it and why stay in the records. A
	// release that is not quarantined is fault.Conflict.
	Unquarantine(ctx context.Context, id delivery.ReleaseID, by, reason string) error
}

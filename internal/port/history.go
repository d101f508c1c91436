package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// History is an environment's recent history, complete enough for a rollback by a
// machine without any other record.
type History struct {
	Service     string                   `json:"service"`
	Environment delivery.Environment     `json:"environment"`
	Deployments []delivery.Deployment    `json:"deployments"` // newest first
	Releases    []delivery.ReleaseRecord `json:"releases"`    // all that Deployments name, with their quarantines
	Models      []delivery.ModelVersion  `json:"models"`      // all that Releases name, as far as they are known
}

// HistoryKeys are the project's keys for the history of an environment. Where it trusts
// none, the place that keeps the history has a key of its own.
type HistoryKeys struct {
	Sign  *SignRequest // what this process signs with; nil: nothing
	Trust TrustPolicy  // whose signatures count; only its Keys are used
}

// HistoryStore is a target that keeps the history of an environment where it is
// deployed, so that another machine can continue.
type HistoryStore interface {
	// SaveHistory replaces the history. Releases never change: a stored one is not
	// written again. What h does not name is removed. A stored current deployment of
	// another machine that h does not have is fault.Conflict. It vouches for what is
	// not marked as Unsigned.
	SaveHistory(ctx context.Context, h History) error
	// LoadHistory returns the history, with no deployments if there is none. Records
	// that no trusted key vouches for are marked as Unsigned; one that can't be read is
	// fault.Corrupt.
	LoadHistory(ctx context.Context, service string, env delivery.Environment) (History, error)
}

package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// History is an environment's recent history, whole: who reads it can go back
// without any other record.
type History struct {
	Service     string                   `json:"service"`
	Environment delivery.Environment     `json:"environment"`
	Deployments []delivery.Deployment    `json:"deployments"` // newest first
	Releases    []delivery.ReleaseRecord `json:"releases"`    // all that Deployments name, with their quarantines
	Models      []delivery.ModelVersion  `json:"models"`      // all that Releases name, as far as they are known
}

// Locker is a target where others deliver too: one run at a time changes an
// environment.
type Locker interface {
	// Lock waits until the environment is free and takes it for the order's run. It
	// is held until Settle or Remove, and for a while after its process has died;
	// the same run gets it back at once. One that does not come free is
	// fault.Conflict, and says who has it.
	Lock(ctx context.Context, o DeployRequest, say func(string)) error
}

// DryRunner is a target that can try a release before anything is changed.
type DryRunner interface {
	// DryRun lets the place say what it would refuse: a field that somebody else
	// manages, a policy, a missing right. It changes nothing.
	DryRun(ctx context.Context, o DeployRequest, say func(string)) error
}

// HistoryStore is a target that keeps an environment's history beside what serves
// there, so that another machine can go on from it.
type HistoryStore interface {
	// SaveHistory replaces the history. Releases never change: one that is there is not
	// written again. What is older than c is removed.
	SaveHistory(ctx context.Context, c History) error
	// LoadHistory returns it; an empty Chapter when there is none. A record that was
	// tampered with is fault.Corrupt.
	LoadHistory(ctx context.Context, service string, env delivery.Environment) (History, error)
}

package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Chapter is an environment's recent history, whole: who reads it can go back
// without any other record.
type Chapter struct {
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
	Lock(ctx context.Context, o Order, say func(string)) error
}

// Rehearser is a target that can try a release before anything is changed.
type Rehearser interface {
	// Rehearse lets the place say what it would refuse: a field that somebody else
	// manages, a policy, a missing right. It changes nothing.
	Rehearse(ctx context.Context, o Order, say func(string)) error
}

// Chronicler is a target that keeps an environment's history beside what serves
// there, so that another machine can go on from it.
type Chronicler interface {
	// Write replaces the history. Releases never change: one that is there is not
	// written again. What is older than c is removed.
	Write(ctx context.Context, c Chapter) error
	// Read returns it; an empty Chapter when there is none. A record that was
	// tampered with is fault.Corrupt.
	Read(ctx context.Context, service string, env delivery.Environment) (Chapter, error)
}

package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Supervisors are the processes that keep releases running on this machine, for
// whatever project and state folder: also those whose folder was moved or removed, which
// no target reaches any more. They are safe for concurrent use.
type Supervisors interface {
	// List returns those of this user, by PID.
	List(ctx context.Context) ([]Supervisor, error)
	// Stop ends one with everything that it runs, as if it had been taken down, and
	// waits until it has exited. One that has exited already is fine.
	Stop(ctx context.Context, s Supervisor) error
}

// Supervisor is one of them.
type Supervisor struct {
	PID     int    `json:"pid"`
	Started string `json:"-"`                  // tells it from a later process with the same PID
	Home    string `json:"home"`               // absolute state folder that it was started for
	MovedTo string `json:"moved_to,omitempty"` // where that is now, if it was moved
	Removed bool   `json:"removed,omitempty"`  // the folder is gone

	Services []SupervisedService `json:"services"` // by name; empty: nothing, or not known
}

// SupervisedService is a service in an environment that a supervisor keeps running.
type SupervisedService struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"` // that has the traffic; empty: none yet
	URL         string               `json:"url"`
}

// IsLost reports whether the folder of the supervisor is not where it was: commands
// there don't find it.
func (s Supervisor) IsLost() bool { return s.Removed || s.MovedTo != "" }

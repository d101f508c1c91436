package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Target runs releases in environments, which do not disturb each other.
//
// A release goes through these calls, in this order: Stage starts it next to the
// current release, without traffic. A target that is a TrafficSplitter may then be
// told to give it a growing part of the traffic (SetWeight, any number of times).
// Promote gives it all the traffic and makes it the current release. In the end
// either Finalize accepts it (for a target that is a Finalizer) and what was kept of
// the release before goes; or Discard removes it, if it was not promoted. A rollback
// is the same sequence for the release before. Every call may be repeated with the
// same arguments after a crash and then changes nothing that is done already.
type Target interface {
	// Stage starts the release without traffic and returns a URL that reaches only
	// it. It fails as soon as the release cannot become ready, with the cause (exit
	// code, last lines of the log). Staging the current release returns its URL.
	Stage(ctx context.Context, req DeployRequest, say func(string)) (url string, err error)
	// Promote gives the staged release all the traffic without losing a request,
	// drains the one before and stops it. Promoting the current release does
	// nothing; one that is not staged is fault.Conflict.
	Promote(ctx context.Context, req DeployRequest, say func(string)) (Observation, error)
	// Discard stops a release that was staged and not promoted. Without one it does
	// nothing.
	Discard(ctx context.Context, req DeployRequest) error
	// Observe returns the state of the environment. It changes nothing.
	Observe(ctx context.Context, service string, env delivery.Environment) (Observation, error)
	// Remove stops everything of the service in the environment. Without anything it
	// does nothing.
	Remove(ctx context.Context, service string, env delivery.Environment) error
}

// DeployRequest names a release and the environment that it is for.
type DeployRequest struct {
	Service      string
	Environment  delivery.Environment
	ID           delivery.ReleaseID
	Release      delivery.Release
	ReadyTimeout delivery.Duration // 0: the target's default
	Port         int               // stable port of the service; 0: the target chooses once and keeps it
	Run          delivery.RunID    // the run that deploys; a Locker lets one at a time in
	Strategy     delivery.Strategy // of the rollout; empty: the target's default
	Secrets      []Secret          // values of the release's Secret objects; none: those in the target already
	Current      *CurrentRelease   // what the records say serves now, for the way back; nil: what the target has recorded
	Rollback     bool              // the release was deployed before and comes back: what ran once for it, such as a migration, does not run again
}

// CurrentRelease is what serves in an environment according to the records.
type CurrentRelease struct {
	ID      delivery.ReleaseID
	Release delivery.Release
}

// Observation is the state of an environment as the target sees it.
type Observation struct {
	Release  delivery.ReleaseID // the current release, which receives the traffic; empty: none
	URL      string             // stable URL of the service
	ProxyURL string             // URL that reaches the service from this process while it lives; empty: URL does
	Replicas []Replica
	Wanted   int      // how many replicas the current release is to have; 0: unknown
	Notes    []string // for people: "memory limit not enforced: ..."
	// Outage is why the target itself does not work, such as a supervisor that was
	// killed: what is missing then is not the releases' doing. Empty: it works.
	Outage string
	// Unreachable is why users can't reach the service at the address that is meant for
	// them, such as a load balancer that has none. Empty: nothing is known to be missing.
	Unreachable string
}

// Address returns the URL that reaches the service from this process.
func (o Observation) Address() string {
	if o.ProxyURL != "" {
		return o.ProxyURL
	}
	return o.URL
}

// ReplicaState is the state of a replica.
type ReplicaState string

// The states of a replica.
const (
	ReplicaStarting ReplicaState = "starting"
	ReplicaReady    ReplicaState = "ready"
	// ReplicaUnresponsive is a replica that was ready, runs, and does not respond.
	ReplicaUnresponsive ReplicaState = "unresponsive"

	ReplicaDraining ReplicaState = "draining" // finishes its requests, then ends
	ReplicaBackoff  ReplicaState = "backoff"  // ended, and will be started again
	ReplicaExited   ReplicaState = "exited"   // ended for good
)

// Replica is one running copy of a release.
type Replica struct {
	Name     string             `json:"name"`
	Release  delivery.ReleaseID `json:"release"`
	State    ReplicaState       `json:"state"`
	Restarts int                `json:"restarts"`
	Cause    string             `json:"cause,omitempty"` // of its last end, with the last lines of its log

	ReadySince time.Time   `json:"ready_since,omitzero"` // by the target's clock; zero: it is not ready, or unknown
	LastEnd    *ReplicaEnd `json:"last_end,omitempty"`   // before its last restart; nil: it never ended, or unknown

	ModelOpened ModelUse `json:"model_opened,omitempty"` // whether the release has read its model's files
}

// ReplicaEnd is how a program of a replica ended that was started again.
type ReplicaEnd struct {
	Cause          string    `json:"cause"`                    // with what killed it
	At             time.Time `json:"at,omitzero"`              // by this machine's clock
	Infrastructure bool      `json:"infrastructure,omitempty"` // its machine ended it: no verdict on the release
}

// ModelUse is whether a release has opened the files of its model since it was
// started, as the target sees it: what a service says of itself proves nothing.
type ModelUse string

// What is known of the use of a model.
const (
	ModelUseUnknown ModelUse = "" // it has no model, or the target cannot see it
	ModelOpened     ModelUse = "opened"
	ModelNotOpened  ModelUse = "not_opened" // so far: a service may read it with its first request
)

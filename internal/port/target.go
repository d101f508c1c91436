package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// DeployRequest asks for a release in an environment.
type DeployRequest struct {
	Service      string
	Environment  delivery.Environment
	ID           delivery.ReleaseID
	Release      delivery.Release
	ReadyTimeout delivery.Duration // to become ready; 0: the target's default
	Port         int               // stable port of the service, 0: the target chooses once and keeps it
	Run          delivery.RunID    // who asks: a target that others use too lets one run in at a time
	Strategy     delivery.Strategy // how it takes over; empty: the target's default
	Secrets      []Secret          // values for the release's Secret objects; none: those that are in the place already
}

// Observation is what a target sees of an environment.
type Observation struct {
	Release  delivery.ReleaseID // what takes the traffic; empty: nothing
	URL      string             // stable address of the service
	ProxyURL string             // where it can be asked from here while this process lives; empty: at URL
	Replicas []Replica
	Notes    []string // for people: "memory limit not enforced: ..."
}

// Address is where the service can be asked from here.
func (o Observation) Address() string {
	if o.ProxyURL != "" {
		return o.ProxyURL
	}
	return o.URL
}

// Replica is one running copy.
type Replica struct {
	Name     string             `json:"name"`
	Release  delivery.ReleaseID `json:"release"`
	State    string             `json:"state"` // starting | ready | draining | backoff | exited
	Restarts int                `json:"restarts"`
	Cause    string             `json:"cause,omitempty"` // why it last ended, with the last lines of its log
}

// Target is a place where releases serve. Environments do not disturb each
// other. Every method may be called again after a crash with the same arguments.
type Target interface {
	// Stage starts the release beside the one that serves, without traffic, and
	// returns an address that reaches only it. It fails as soon as the release
	// cannot become ready, with the cause (exit code, last lines of the log).
	// Staging what already serves returns its address.
	Stage(ctx context.Context, o DeployRequest, say func(string)) (url string, err error)
	// Promote gives the staged release all the traffic without losing a request,
	// drains the one before, and stops it. Promoting what serves does nothing.
	Promote(ctx context.Context, o DeployRequest, say func(string)) (Observation, error)
	// Discard stops a staged release that was not promoted; none is fine.
	Discard(ctx context.Context, o DeployRequest) error
	// Observe looks, and changes nothing.
	Observe(ctx context.Context, service string, env delivery.Environment) (Observation, error)
	// Remove stops everything of the service in the environment; none is fine.
	Remove(ctx context.Context, service string, env delivery.Environment) error
}

// Locator is a target that serves many places, such as clusters.
type Locator interface {
	// For is the target for one place. It connects to nothing yet; a place that
	// can't be is fault.Invalid.
	For(p delivery.Location) (Target, error)
}

// NamespaceReporter is a target that keeps a service's objects in a namespace.
type NamespaceReporter interface {
	// Namespace is the one that the location names, or "" for its default. Canary
	// queries get it as {{.Namespace}}.
	Namespace() string
}

// Traffic is what users got from one release in a window.
type Traffic struct {
	Requests int64         // answered or not
	Errors   int64         // 5xx, and requests without an answer
	P50      time.Duration // latency of the answered ones
	P95      time.Duration
	P99      time.Duration
}

// TrafficReporter is a target that sees the traffic.
type TrafficReporter interface {
	// Traffic sums up what the release got since then. No request is a Traffic
	// with zero Requests, not an error; a release whose requests nobody counts is
	// fault.NotFound.
	Traffic(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (Traffic, error)
}

// LogReader is a target that can show what the replicas print.
type LogReader interface {
	// LogReader returns the last lines of every replica, newest last.
	ReplicaLogs(ctx context.Context, service string, env delivery.Environment, lines int) ([]string, error)
}

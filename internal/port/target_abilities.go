package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Optional abilities of a Target. Callers find them by a type assertion; what
// Slipway does without one is in docs/adding-an-adapter.md.

// Locator is a target with many locations, such as clusters.
type Locator interface {
	// For returns the target for one location. It does not connect yet; an invalid
	// location is fault.Invalid.
	For(l delivery.Location) (Target, error)
}

// NamespaceReporter is a target whose location is in a namespace.
type NamespaceReporter interface {
	// Namespace returns the namespace that the location names, or "" for its default.
	// Canary queries get it as {{.Namespace}}.
	Namespace() string
}

// TrafficSplitter is a target that can give a staged release part of the traffic.
type TrafficSplitter interface {
	// SetWeight gives the staged release about that percentage of the traffic (1 to
	// 99) and returns the percentage that it got: replicas cannot be divided. The
	// current release keeps the rest. Idempotent. fault.Conflict if the release is
	// not staged, or there is no other current release.
	SetWeight(ctx context.Context, req DeployRequest, percent int, say func(string)) (actual float64, err error)
}

// Finalizer is a target that keeps the release before until the new one has been
// accepted, so that a rollback is instant.
type Finalizer interface {
	// Finalize removes what was kept of releases that are not current. It is called
	// once the release has been accepted. Idempotent.
	Finalize(ctx context.Context, req DeployRequest, say func(string)) error
}

// Locker is a target that several machines deliver to: one run at a time changes an
// environment.
type Locker interface {
	// Lock waits until the environment is free and takes it for the request's run.
	// It is held until Unlock, Finalize or Remove, and for a while after its process
	// has died; the same run gets it back at once. One that does not become free is
	// fault.Conflict, which names the holder.
	Lock(ctx context.Context, req DeployRequest, say func(string)) error

	// Unlock frees the environment if this process holds it, and changes nothing
	// else. Idempotent.
	Unlock(ctx context.Context, req DeployRequest) error
}

// DryRunner is a target that can check a release before anything is changed.
type DryRunner interface {
	// DryRun reports what the target would refuse: a field with another manager, a
	// policy, a missing permission. It changes nothing.
	DryRun(ctx context.Context, req DeployRequest, say func(string)) error
}

// ChangeAction is what a release would do to an object.
type ChangeAction string

// The actions.
const (
	ChangeCreate ChangeAction = "create"
	ChangeUpdate ChangeAction = "change"
	ChangeRemove ChangeAction = "remove"
)

// Change is what a release would do to one object of a target.
type Change struct {
	Action ChangeAction `json:"action"`
	Kind   string       `json:"kind"`
	Name   string       `json:"name"` // with its namespace, if that is not the location's
	Diff   string       `json:"diff,omitempty"`
}

// Differ is a target that can compute what a release would change.
type Differ interface {
	// Diff returns the changes, without objects that would stay as they are. The
	// values of secrets are masked. It changes nothing.
	Diff(ctx context.Context, req DeployRequest) ([]Change, error)
}

// Drift is one difference between what is live and what was recorded: an object that is
// missing, or a field that another has changed or added.
type Drift struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Missing  bool      `json:"missing,omitempty"`  // the whole object is
	Field    string    `json:"field,omitempty"`    // its path in the object
	Recorded string    `json:"recorded,omitempty"` // its value; empty: the record lacks it
	Live     string    `json:"live,omitempty"`     // its value; empty: it was removed
	Manager  string    `json:"manager,omitempty"`  // who changed it; empty: not known
	Time     time.Time `json:"time,omitzero"`      // of the manager's last change
}

// DriftReporter is a target that can compare what is live with what was recorded.
type DriftReporter interface {
	// Drift returns how what is live differs from the request's release, which is the
	// accepted one; while another release is on its way in, none. The values of secrets
	// are masked. What controllers change, and defaults, are no drift. Promoting the
	// release again repairs it. It changes nothing.
	Drift(ctx context.Context, req DeployRequest) ([]Drift, error)
}

// LiveConfirmer is a target that can compare what it runs with a record of doubtful
// origin.
type LiveConfirmer interface {
	// ConfirmLive returns how what is live differs from the request's release. Unlike
	// Drift it takes what can't be read, and what others have applied, for a difference.
	// It changes nothing.
	ConfirmLive(ctx context.Context, req DeployRequest) ([]Drift, error)
}

// Traffic is what users got from one release in a window.
type Traffic struct {
	Requests int64         // with or without a response
	Errors   int64         // 5xx, and requests without a response
	P50      time.Duration // latency of the responses
	P95      time.Duration
	P99      time.Duration
	Resets   int `json:",omitempty"` // how often a replica's counters began anew; what was counted before is included
}

// TrafficReporter is a target that measures the traffic.
type TrafficReporter interface {
	// Traffic sums up what the release got since then. No request is a Traffic
	// with zero Requests, not an error; a release whose requests are not counted is
	// fault.NotFound.
	Traffic(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (Traffic, error)
}

// Sample is what one release returned in a window.
type Sample struct {
	Requests int64
	Errors   int64    // 5xx
	Latency  []Bucket // ascending; the last one's Le is +Inf; empty: not measured
	Resets   int      // see Traffic
}

// Bucket counts the requests that took at most Le seconds (cumulative).
type Bucket struct {
	Le    float64
	Count int64
}

// MetricsComparer is a target that measures two releases side by side.
type MetricsComparer interface {
	// Compare returns what the request's release and the current one returned since
	// then, without probes as far as they can be recognized. A release without
	// requests is an empty Sample, not an error; one whose metrics cannot be read is
	// fault.Unavailable.
	Compare(ctx context.Context, req DeployRequest, since time.Time) (candidate, current Sample, err error)
}

// LatestFinder is a target where others run images, too.
type LatestFinder interface {
	// FindLatest returns what runs the repository's image by the tag latest, or without a
	// tag, which is the same: "CronJob nightly". It changes nothing.
	FindLatest(ctx context.Context, repository string) ([]string, error)
}

// LogReader is a target that can return what the replicas print.
type LogReader interface {
	// ReplicaLogs returns the last lines of every replica, newest last.
	ReplicaLogs(ctx context.Context, service string, env delivery.Environment, lines int) ([]string, error)
}

// Restorer is a target that does not come back by itself when its machine restarts.
type Restorer interface {
	// Restore starts the current release of every environment again. One that runs
	// is left alone.
	Restore(ctx context.Context) error
}

// OutageAwaiter is a Restorer whose releases end with a process that something may
// kill.
type OutageAwaiter interface {
	Restorer
	// AwaitOutage waits until a release should run, but nothing keeps it running any
	// more: Restore starts it again. It returns the context's error.
	AwaitOutage(ctx context.Context) error
}

// UnusedLister is a target or a builder that keeps files which it can fetch or make
// again.
type UnusedLister interface {
	// ListUnused returns the paths of files and folders that no environment uses and
	// that have not changed since then. Removing them costs time, nothing else.
	ListUnused(ctx context.Context, before time.Time) ([]string, error)
}

// ModelObserver is a target that sees whether a release opens its model's files, and
// sets Replica.ModelOpened. Without it the field is always unknown.
type ModelObserver interface {
	// ObservesModels has no effect. It marks the target.
	ObservesModels()
}

// ProofMethod is what a target proves by which release responds.
type ProofMethod string

// The methods.
const (
	// ProofBySocket: the sockets that take the requests belong to the release's own
	// replicas.
	ProofBySocket ProofMethod = "socket"
	// ProofByPod: the pods that take the requests are those of the release, and run
	// its image.
	ProofByPod ProofMethod = "pod"
)

// Proof is how a target knows which release responds at an address.
type Proof struct {
	Method ProofMethod `json:"method"`
	Detail string      `json:"detail,omitempty"` // for people: "2 replicas on ports 20001 and 20002"
	// State stands for all that took requests when the proof was made. Two proofs with
	// the same State also cover the time between them.
	State string `json:"state"`
}

// Identifier is a target that can prove which release responds, without help from the
// service.
type Identifier interface {
	// Identify proves that every request to the URL, which Stage or Observe returned,
	// reaches the request's release and nothing else. It changes nothing. If something
	// else may respond, the error is fault.Failed and names it; a proof that is not
	// possible (now, or ever) is fault.Unavailable.
	Identify(ctx context.Context, req DeployRequest, url string) (Proof, error)
}

// Exported is a release as other tools take it.
type Exported struct {
	Manifests string   // YAML documents, in the order in which they are applied
	Notes     []string // for people: what is missing, and where images come from
}

// Exporter is a target that can write down what it runs for other tools.
type Exporter interface {
	// Export returns the request's release with its images by digest, without what
	// only Slipway reads. Values of secrets are not included. It connects to nothing.
	Export(ctx context.Context, req DeployRequest) (Exported, error)
}

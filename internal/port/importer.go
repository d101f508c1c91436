package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Existing is what serves in an environment although no run has deployed it: applied
// by hand, by Helm, or by the pipeline that was there before.
type Existing struct {
	// Release is what serves, as it is live: its image by digest, its objects without
	// what the target adds by itself. The values of secrets are not part of it.
	Release  delivery.Release
	Since    time.Time // when the oldest of its workloads was created
	Replicas int       // that are ready
	Objects  []ExistingObject
	Notes    []string // for people: what stays as it is, and what to know
}

// ExistingObject is an object of what serves.
type ExistingObject struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Managers []string `json:"managers,omitempty"` // people's tools, whose fields are taken over
}

// Importer is a target where something may serve that no run has deployed. It becomes
// a release like any other: release 0, to which a failed first deployment returns.
type Importer interface {
	// FindExisting returns what serves in place of the request's release; ok is false
	// if a run has deployed what serves, or nothing serves. What can't be taken over
	// is fault.Conflict, and the error names it. It changes nothing.
	FindExisting(ctx context.Context, req DeployRequest) (e Existing, ok bool, err error)
	// Adopt makes the request's release, which FindExisting returned, the current one.
	// No replica is restarted, and no request is lost. It may be repeated after a
	// crash at any point.
	Adopt(ctx context.Context, req DeployRequest, say func(string)) error
}

package port

import (
	"context"
	"iter"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// DeploymentStore is the history of the environments. A deployment begins
// (Deploying), is accepted (Serving) and later replaced by the next one (Replaced);
// or it ends otherwise (RolledBack, Cancelled, Stuck, Held, Removed). Every method is
// atomic and safe across processes.
type DeploymentStore interface {
	// Begin records that a release is being deployed, replacing the current one
	// unless d.Replaced names another. Called again for the same run, release and
	// environment it returns the first record, unless that is Unsigned and d is not:
	// then d takes its place, and its state stays.
	Begin(ctx context.Context, d delivery.Deployment) (delivery.Deployment, error)
	// Accept makes the deployment the environment's current one, and the one before
	// Replaced. Idempotent; one that has ended otherwise is fault.Conflict.
	Accept(ctx context.Context, id int64, at time.Time) error
	// End records how a deployment ended: RolledBack, Cancelled, Stuck, Held or Removed;
	// any other state is fault.Invalid. Idempotent; the first end and its reason
	// stay.
	End(ctx context.Context, id int64, state delivery.DeploymentState, reason string, at time.Time) error
	// Current returns the environment's accepted deployment; ok is false if there
	// is none.
	Current(ctx context.Context, env delivery.Environment) (d delivery.Deployment, ok bool, err error)
	// List returns a page of the deployments that the filter selects, newest first.
	// next is where the list goes on; empty: this was the end.
	List(ctx context.Context, f DeploymentFilter, page Page) (deployments []delivery.Deployment, next Cursor, err error)
}

// DeploymentFilter selects deployments; an empty field selects all.
type DeploymentFilter struct {
	Environment delivery.Environment
	Run         delivery.RunID
	Release     delivery.ReleaseID
	// Accepted selects those that were accepted, whatever became of them. They are
	// listed by the time of it, the latest first.
	Accepted bool
}

// AllDeployments lists all deployments that the filter selects, page by page.
func AllDeployments(ctx context.Context, s DeploymentStore, f DeploymentFilter) iter.Seq2[delivery.Deployment, error] {
	return All(ctx, func(ctx context.Context, page Page) ([]delivery.Deployment, Cursor, error) {
		return s.List(ctx, f, page)
	})
}

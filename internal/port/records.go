package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ModelRegistry is the model registry's records (the files are in Artifacts). Every
// method is atomic and safe across processes.
type ModelRegistry interface {
	// Register adds a version to the group, or returns the existing one of the
	// same artifact digest unchanged. Versions count from 1 without gaps.
	Register(ctx context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error)
	// Import keeps a version that another registry made, as it is: number,
	// metrics and decision. Again does nothing. One whose number or content is
	// taken here by another is fault.Conflict.
	Import(ctx context.Context, m delivery.ModelVersion) error
	// Decide approves or rejects. The same decision again is fine; deciding
	// otherwise than before is fault.Conflict unless the version is pending.
	Decide(ctx context.Context, ref delivery.ModelRef, status delivery.ModelStatus, by, why string) (delivery.ModelVersion, error)
	// Model finds a version; fault.NotFound otherwise.
	Model(ctx context.Context, group string, version int) (delivery.ModelVersion, error)
	// Models lists a group's versions, or all with an empty group, newest first.
	Models(ctx context.Context, group string) ([]delivery.ModelVersion, error)
}

// ReleaseStore keeps release records. Saved ones never change.
type ReleaseStore interface {
	// Save keeps the release under its digest; saving it again returns
	// the first record.
	Save(ctx context.Context, run delivery.RunID, r delivery.Release) (delivery.ReleaseRecord, error)
	// Release finds a release; fault.NotFound otherwise. A record whose content
	// does not match its digest is fault.Corrupt.
	Release(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error)
	// Releases lists up to limit, newest first (0: all).
	Releases(ctx context.Context, limit int) ([]delivery.ReleaseRecord, error)
	// Quarantine keeps it out of every environment; again keeps the first reason.
	Quarantine(ctx context.Context, q delivery.Quarantine) error
	// Unquarantine lets it go; who and why stay in the history. One that is not
	// quarantined is fault.Conflict.
	Unquarantine(ctx context.Context, id delivery.ReleaseID, by, why string) error
}

// DeploymentStore is the history of the environments. Every method is atomic.
type DeploymentStore interface {
	// Begin records that the release starts to enter (state Deploying). Called
	// again for the same run and release it returns the first record.
	Begin(ctx context.Context, d delivery.Deployment) (delivery.Deployment, error)
	// Accept makes it the one Serving, and the one before Replaced. Idempotent.
	Accept(ctx context.Context, id int64, at time.Time) error
	// End records how a deployment left: RolledBack, Cancelled, Stuck or Removed.
	// Idempotent; the first reason stays.
	End(ctx context.Context, id int64, state delivery.DeploymentState, reason string, at time.Time) error
	// Current is the environment's accepted deployment; ok is false when none.
	Current(ctx context.Context, env delivery.Environment) (d delivery.Deployment, ok bool, err error)
	// History lists an environment's deployments, newest first (limit 0: all);
	// an empty env lists all environments.
	History(ctx context.Context, env delivery.Environment, limit int) ([]delivery.Deployment, error)
}

// Approval is a person's word on a run that waits before an environment.
type Approval struct {
	Run      delivery.RunID
	Subject  string // "deploy" or "model group:version"
	By       string
	Approved bool
	Reason   string
	At       time.Time
}

// ApprovalStore keeps them.
type ApprovalStore interface {
	// Record records a word; one person has one word per subject, the first stays.
	Record(ctx context.Context, a Approval) error
	// Approvals lists the words on a run, oldest first.
	Approvals(ctx context.Context, run delivery.RunID) ([]Approval, error)
}

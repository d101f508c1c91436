package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ApprovalSubject is what a person decides on.
type ApprovalSubject string

// ApproveDeploy is the deployment that a run waits with.
const ApproveDeploy ApprovalSubject = "deploy"

// ApproveOlder is that a run continues although a later one, newer, has been deployed
// meanwhile.
func ApproveOlder(newer delivery.RunID) ApprovalSubject {
	return ApprovalSubject("older than " + string(newer))
}

// Approval is a person's decision on a run that waits. It is about one commit and
// one plan; records of earlier versions have neither.
type Approval struct {
	Run      delivery.RunID
	Subject  ApprovalSubject
	Commit   string          // SHA
	Plan     delivery.Digest // plan.Digest
	By       delivery.Actor
	Approved bool
	Reason   string
	At       time.Time
}

// IsAbout reports whether the decision is about that commit and plan.
func (a Approval) IsAbout(commit string, plan delivery.Digest) bool {
	return (a.Commit == "" || a.Commit == commit) && (a.Plan == "" || a.Plan == plan)
}

// ApprovalStore keeps approvals. Every method is atomic and safe across processes.
type ApprovalStore interface {
	// Record keeps a decision. A person decides once on a subject of a run and
	// a plan: the first decision stays. One without a person or a subject is fault.Invalid.
	Record(ctx context.Context, a Approval) error
	// List returns the decisions on a run, oldest first.
	List(ctx context.Context, run delivery.RunID) ([]Approval, error)
}

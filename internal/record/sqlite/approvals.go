package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// approvals keeps decisions on waiting runs.
type approvals struct{ *database }

var _ port.ApprovalStore = approvals{}

// Record implements port.ApprovalStore.
func (s approvals) Record(ctx context.Context, a port.Approval) error {
	if a.By.IsZero() || a.Subject == "" {
		return fault.New(fault.Invalid, "an approval needs a person and a subject")
	}
	if a.At.IsZero() {
		a.At = s.clock()
	}
	return s.change(ctx, fmt.Sprintf("record the decision of %s on run %s", a.By, a.Run), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO approvals (project, run, subject, person, actor, commit_sha, plan_digest, yes, why, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project, run, subject, person, plan_digest) DO NOTHING`,
			s.project, a.Run, a.Subject, a.By.Key(), actorJSON(a.By), a.Commit, a.Plan, a.Approved, a.Reason, nanos(a.At))
		return err
	})
}

// List implements port.ApprovalStore.
func (s approvals) List(ctx context.Context, run delivery.RunID) ([]port.Approval, error) {
	out, err := list(ctx, s.read, scanApproval, `SELECT run, subject, actor, commit_sha, plan_digest, yes, why, at FROM approvals
		WHERE project = ? AND run = ? ORDER BY id`, s.project, run)
	return out, record.DatabaseError(fmt.Sprintf("list the decisions on run %s", run), s.path, err)
}

func scanApproval(row scanner) (port.Approval, error) {
	var a port.Approval
	var at int64
	err := row.Scan(&a.Run, &a.Subject, actorColumn{&a.By}, &a.Commit, &a.Plan, &a.Approved, &a.Reason, &at)
	a.At = moment(at)
	return a, err
}

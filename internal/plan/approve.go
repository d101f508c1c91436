package plan

import (
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/step"
)

// approve plans the approvals that the environment requires, and that of the model
// if this plan registers one; it reports whether there are any.
func (pl *planner) approve(registers bool, needs []string) bool {
	if !registers && pl.env.Approvals == 0 {
		return false
	}
	params := step.ApproveParams{DeployApprovals: pl.env.Approvals, Approvers: pl.env.Approvers, Alarms: pl.alarmParams()}
	if registers {
		params.Model, params.Group, params.Auto = true, pl.project.Model.Group, pl.project.Model.AutoApprove()
	}
	pl.add(step.Spec{Name: approveStep, Kind: step.Approve, Needs: needs, Reason: approvalReason(params)}, params)
	return true
}

func approvalReason(p step.ApproveParams) string {
	var reasons []string
	switch {
	case p.Model && p.Auto:
		reasons = append(reasons, "the gates approve the model")
	case p.Model:
		reasons = append(reasons, "the model needs manual approval")
	}
	switch {
	case p.DeployApprovals == 1:
		reasons = append(reasons, "1 approval required to deploy")
	case p.DeployApprovals > 1:
		reasons = append(reasons, fmt.Sprintf("%d approvals required to deploy", p.DeployApprovals))
	}
	return strings.Join(reasons, "; ")
}

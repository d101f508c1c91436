package fake

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

type approvals struct{ *Records }

var _ port.ApprovalStore = approvals{}

// Record keeps a decision.
func (r approvals) Record(_ context.Context, a port.Approval) error {
	leave, err := r.enter("Approvals.Record")
	defer leave()
	if err != nil {
		return err
	}
	if a.By.IsZero() || a.Subject == "" {
		return fault.New(fault.Invalid, "an approval needs a person and a subject")
	}
	for _, known := range r.approvals {
		if known.Run == a.Run && known.Subject == a.Subject && known.Plan == a.Plan && known.By.Key() == a.By.Key() {
			return nil
		}
	}
	r.approvals = append(r.approvals, a)
	return nil
}

// List returns the decisions on a run.
func (r approvals) List(_ context.Context, run delivery.RunID) ([]port.Approval, error) {
	leave, err := r.enter("Approvals.List")
	defer leave()
	if err != nil {
		return nil, err
	}
	var of []port.Approval
	for _, a := range r.approvals {
		if a.Run == run {
			of = append(of, a)
		}
	}
	return of, nil
}

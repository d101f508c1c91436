package deploy

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// checkOrder refuses to replace a later run's release by that of a run that was
// overtaken while it waited, unless a person approved exactly that. A deployment that
// this run has begun goes on.
func (d *deployment) checkOrder(ctx context.Context) error {
	if d.current.Release == "" || d.Request.Overtaken == nil {
		return nil
	}
	by, err := d.Request.Overtaken(ctx, d.current)
	if err != nil {
		return fmt.Errorf("look whether run %s was overtaken: %w", d.Request.Run, err)
	}
	if by == "" {
		return nil
	}
	if _, begun, err := d.OfRun(ctx); begun || err != nil {
		return err
	}
	approved, err := d.approvedAsOlder(ctx)
	if approved || err != nil {
		return err
	}
	return fault.New(fault.Conflict, "run %s was overtaken by %s", d.Request.Run, by).
		Hint("%s was not changed; if this commit is what you want there, start a new run for it", d.Request.Environment)
}

// approvedAsOlder reports whether a person approved that this run replaces the
// release of the later one.
func (d *deployment) approvedAsOlder(ctx context.Context) (bool, error) {
	if d.step.Approvals == nil {
		return false, nil
	}
	decisions, err := d.step.Approvals.List(ctx, d.Request.Run)
	if err != nil {
		return false, fmt.Errorf("read the approvals of %s: %w", d.Request.Run, err)
	}
	for _, a := range decisions {
		if a.Subject == port.ApproveOlder(d.current.Run) && a.Approved && a.IsAbout(d.Request.Commit.SHA, d.Request.PlanDigest) {
			return true, nil
		}
	}
	return false, nil
}

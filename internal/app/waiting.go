package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// WaitingRun is a run that waits for a decision.
type WaitingRun struct {
	Run         delivery.RunID    `json:"run"`
	Commit      string            `json:"commit"`
	By          string            `json:"by"`
	Actor       delivery.Actor    `json:"actor,omitzero"`
	Since       time.Time         `json:"since,omitzero"`
	Cause       string            `json:"cause"`
	Hint        string            `json:"hint,omitempty"`
	OvertakenBy *record.Overtaker `json:"overtaken_by,omitempty"` // a later run, deployed meanwhile
}

// waitingRun describes a run that waits, and whether it was overtaken.
func (s *session) waitingRun(ctx context.Context, r record.RunSummary) (WaitingRun, error) {
	w := WaitingRun{Run: r.ID, Commit: r.Commit, By: r.By.String(), Actor: r.By, Since: r.EndedAt, Cause: r.Cause, Hint: r.Hint}
	current, ok, err := s.deps.Deployments.Current(ctx, r.Environment)
	if err != nil || !ok {
		return w, err
	}
	if w.OvertakenBy, err = record.FindOvertaker(ctx, s.deps.Runs, r, current); err != nil {
		return w, err
	}
	if w.OvertakenBy != nil {
		w.Hint = overtakenHint(r.ID)
	}
	return w, nil
}

func overtakenHint(id delivery.RunID) string {
	return "end it with `slipway reject " + string(id) + " --why REASON`, or continue it with `slipway approve " + string(id) + " --even-though-older`"
}

// checkOrder refuses to approve a run that was overtaken, unless the decision says
// that it may continue. It returns by which run.
func (s *session) checkOrder(ctx context.Context, d Decision, run record.Run) (*record.Overtaker, error) {
	_ = s.syncHistory(ctx, run.Environment) // the deploy step checks again, and reports an unreachable target
	w, err := s.waitingRun(ctx, run.RunSummary)
	if err != nil || w.OvertakenBy == nil || !d.Approve || d.EvenThoughOlder {
		return w.OvertakenBy, err
	}
	return nil, fault.New(fault.Conflict, "run %s (commit %s) was overtaken by %s", run.ID, run.Plan.Commit.Short(), w.OvertakenBy).
		Hint("%s", w.Hint)
}

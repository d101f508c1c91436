package app

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/wait"
)

// A run is looked at this often while it is awaited, and more often for a short time.
const (
	awaitPause    = 10 * time.Second
	minAwaitPause = 50 * time.Millisecond
)

// AwaitDecision waits for decisions on a run that waits, wherever they are made: in
// another process, on another machine of the state, or in the model registry's own
// interface. It continues the run after each of them, and returns when the run has
// ended, or after limit with the run still waiting.
func (a *App) AwaitDecision(ctx context.Context, ref string, limit time.Duration) (rep RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		run, err := s.run(ctx, ref)
		if err != nil {
			return err
		}
		rep, err = s.awaitDecision(ctx, run.ID, limit)
		return err
	})
	return rep, err
}

func (s *session) awaitDecision(ctx context.Context, id delivery.RunID, limit time.Duration) (RunReport, error) {
	end, pause := s.app.Clock().Add(limit), min(awaitPause, max(limit/20, minAwaitPause))
	var before string
	for first := true; ; first = false {
		run, err := s.deps.Runs.Get(ctx, id)
		if err != nil {
			return RunReport{}, err
		}
		now, decided, err := s.decisionsOn(ctx, run)
		switch {
		case err != nil && !fault.Is(err, fault.Unavailable):
			return RunReport{}, err
		case err != nil:
			s.notice(run.Environment, fmt.Sprintf("%v; looking again in %s", err, pause))
		case run.State == record.Ended:
			return s.report(ctx, run)
		case first && !decided:
			before = now
			s.notice(run.Environment, fmt.Sprintf("run %s waits until %s for a decision: %s", id, end.UTC().Format("15:04 MST"), run.Cause))
		case now != before && run.State == record.Waiting:
			before = now
			rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Resume(ctx, id) })
			if err != nil || rep.Outcome != delivery.OutcomeWaiting {
				return rep, err
			}
		}
		left := end.Sub(s.app.Clock())
		if left <= 0 {
			return s.report(ctx, run)
		}
		if err := wait.Sleep(ctx, min(pause, left)); err != nil {
			return RunReport{}, err
		}
	}
}

// decisionsOn describes what was decided on a run and its model: another description
// means that the run may go on, or that an alarm ends it. decided reports that its model is
// approved or rejected, or an alarm raised.
func (s *session) decisionsOn(ctx context.Context, run record.Run) (text string, decided bool, err error) {
	if name := s.raisedAlarm(ctx, run); name != "" {
		return "alarm " + name, true, nil
	}
	given, err := s.deps.Approvals.List(ctx, run.ID)
	if err != nil {
		return "", false, err
	}
	text = fmt.Sprintf("%d approvals", len(given))
	ref, err := s.modelOf(ctx, run.ID)
	if err != nil || ref == nil {
		return text, false, err
	}
	m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
	return text + ", model " + string(m.Status), m.Status == delivery.Approved || m.Status == delivery.Rejected, err
}

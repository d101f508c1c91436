package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// Cancel stops a run, wherever it runs, and waits until it has ended.
func (a *App) Cancel(ctx context.Context, ref string) (rep RunReport, err error) {
	a.useReserve(ctx)
	err = a.withSession(ctx, func(s *session) error {
		r, err := s.run(ctx, ref)
		if err != nil {
			return err
		}
		if r.State == record.Ended {
			return fault.New(fault.Conflict, "run %s has already ended: %s", r.ID, r.Outcome)
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Cancel(ctx, r.ID, a.actor()) })
		return err
	})
	return rep, err
}

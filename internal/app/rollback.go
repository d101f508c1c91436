package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
)

// Rollback restores an earlier good release in the environment.
func (a *App) Rollback(ctx context.Context, env delivery.Environment, to delivery.ReleaseID, why string) (rep RunReport, err error) {
	a.useReserve(ctx)
	err = a.withSession(ctx, func(s *session) error {
		if _, err := s.project.Environment(env); err != nil {
			return err
		}
		p, err := s.planRollback(ctx, env, to, why)
		if err != nil {
			return err
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Run(ctx, p) })
		return err
	})
	return rep, err
}

func (s *session) planRollback(ctx context.Context, env delivery.Environment, to delivery.ReleaseID, why string) (plan.Plan, error) {
	by := s.app.actor()
	t := plan.Trigger{Event: plan.ManualEvent, Environment: env, By: by.String(), Actor: by, Rollback: true, To: to, Why: why}
	return s.makePlan(ctx, t, delivery.Commit{})
}

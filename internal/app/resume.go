package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// Resume finishes a run that was killed, or every such run with an empty ref; then runs
// that are in progress are left alone.
func (a *App) Resume(ctx context.Context, ref string) (reps []RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		ids, err := s.unfinished(ctx, ref)
		if err != nil {
			return err
		}
		for _, id := range ids {
			rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Resume(ctx, id) })
			if err != nil {
				return err
			}
			reps = append(reps, rep)
		}
		return nil
	})
	return reps, err
}

func (s *session) unfinished(ctx context.Context, ref string) ([]delivery.RunID, error) {
	if ref != "" {
		r, err := s.run(ctx, ref)
		return []delivery.RunID{r.ID}, err
	}
	runs, err := s.deps.Runs.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var dead, alive []delivery.RunID
	for _, r := range runs {
		o, err := s.engine.Owner(ctx, r.ID)
		switch {
		case err != nil:
			return nil, err
		case o.Alive:
			alive = append(alive, r.ID)
		default:
			dead = append(dead, r.ID)
		}
	}
	if len(dead)+len(alive) == 0 {
		return nil, fault.New(fault.NotFound, "no unfinished run found").Hint("start one with `slipway run`")
	}
	if len(dead) == 0 {
		return alive, nil // the engine refuses the first one, and says why
	}
	return dead, nil
}

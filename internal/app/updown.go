package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Up starts every environment's service again after a reboot or a crash.
func (a *App) Up(ctx context.Context) ([]Status, error) {
	a.useReserve(ctx)
	err := a.withSession(ctx, func(s *session) error {
		for name, t := range s.deps.Targets {
			if r, ok := t.(port.Restorer); ok {
				if err := r.Restore(ctx); err != nil {
					return fault.New(fault.Unavailable, "start target %s", name).Cause(err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.Status(ctx, "")
}

// Stopped is what was taken down.
type Stopped struct {
	Environments []delivery.Environment `json:"stopped"`
	Supervisors  []port.Supervisor      `json:"supervisors,omitempty"` // that had lost their state folder, or were named
}

// Down stops the service in the environment, or in all with an empty name, and
// then the builders that were kept running. The history keeps the deployments. All
// includes the supervisors that lost their state folder, also outside of any project.
func (a *App) Down(ctx context.Context, env delivery.Environment) (stopped Stopped, err error) {
	if _, err := a.locateWorkspace(); env == "" && fault.Is(err, fault.NotFound) {
		return a.downOutside(ctx, err)
	}
	a.useReserve(ctx)
	err = a.withSession(ctx, func(s *session) error {
		names := []string{string(env)}
		if env == "" {
			names = s.project.EnvironmentNames()
			if stopped.Supervisors, err = a.stopLost(ctx); err != nil {
				return err
			}
		}
		for _, n := range names {
			if env == "" && !s.deploys(delivery.Environment(n)) {
				continue
			}
			if err := s.down(ctx, delivery.Environment(n)); err != nil {
				return err
			}
			stopped.Environments = append(stopped.Environments, delivery.Environment(n))
		}
		if env == "" && s.deps.Shutdown != nil {
			return s.deps.Shutdown(ctx)
		}
		return nil
	})
	return stopped, err
}

func (s *session) down(ctx context.Context, env delivery.Environment) error {
	target, err := s.target(env)
	if err != nil {
		return err
	}
	if r, ok, err := s.deps.Runs.Head(ctx, env); err != nil {
		return err
	} else if ok {
		return fault.New(fault.Conflict, "run %s of %s is in progress in %s", r.ID, r.By, env).Hint("wait for it, or stop it with `slipway cancel %s`", r.ID)
	}
	if err := target.Remove(ctx, s.project.Service, env); err != nil {
		return err
	}
	d, ok, err := s.deps.Deployments.Current(ctx, env)
	if err != nil || !ok {
		return err
	}
	return s.deps.Deployments.End(ctx, d.ID, delivery.Removed, "taken down by "+s.app.actor().String(), s.app.Clock())
}

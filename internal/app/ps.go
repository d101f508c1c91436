package app

import (
	"context"
	"errors"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Supervisor is a process that keeps services running on this machine.
type Supervisor = port.Supervisor

// ListSupervisors lists the supervisors of this user on this machine, of all projects.
// It needs no project.
func (a *App) ListSupervisors(ctx context.Context) ([]port.Supervisor, error) {
	if a.Supervisors == nil {
		return nil, nil
	}
	all := a.Supervisors()
	if all == nil {
		return nil, nil
	}
	return all.List(ctx)
}

// StopSupervisor ends one supervisor of this user with all that it runs. It needs no
// project. Its saved state is kept: `slipway up` in its project starts it again.
func (a *App) StopSupervisor(ctx context.Context, pid int) (Stopped, error) {
	stopped, err := a.stopSupervisors(ctx, func(s port.Supervisor) bool { return s.PID == pid })
	if err == nil && len(stopped) == 0 {
		return Stopped{}, fault.New(fault.NotFound, "process %d is not a supervisor of yours", pid).Hint("see `slipway ps`")
	}
	return Stopped{Supervisors: stopped}, err
}

// stopSupervisors ends all supervisors of this user that match.
func (a *App) stopSupervisors(ctx context.Context, match func(port.Supervisor) bool) (stopped []port.Supervisor, err error) {
	found, err := a.ListSupervisors(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, s := range found {
		if !match(s) {
			continue
		}
		if err := a.Supervisors().Stop(ctx, s); err != nil {
			failed = append(failed, err)
			continue
		}
		stopped = append(stopped, s)
	}
	return stopped, errors.Join(failed...)
}

// stopLost ends the supervisors of this user whose state folder was moved or removed,
// whatever project they are of: no other command finds them.
func (a *App) stopLost(ctx context.Context) ([]port.Supervisor, error) {
	return a.stopSupervisors(ctx, port.Supervisor.IsLost)
}

// downOutside is Down for all environments outside of any project, which only the
// supervisors that belong to none may be ended from.
func (a *App) downOutside(ctx context.Context, noProject error) (Stopped, error) {
	stopped, err := a.stopLost(ctx)
	if err != nil || len(stopped) > 0 {
		return Stopped{Supervisors: stopped}, err
	}
	if running, err := a.ListSupervisors(ctx); err == nil && len(running) > 0 {
		return Stopped{}, fault.New(fault.KindOf(noProject), "%v", noProject).
			Hint("change to the service's repository; `slipway ps` lists what runs, and `slipway down --pid PID` ends one from anywhere")
	}
	return Stopped{}, noProject
}

package local

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// supervisors implements port.Supervisors by the list of processes, which no change of
// a folder hides anything from.
type supervisors struct{}

// NewSupervisors returns the supervisors of this user on this machine.
func NewSupervisors() port.Supervisors { return supervisors{} }

// List returns the supervisors by PID.
func (supervisors) List(context.Context) ([]port.Supervisor, error) {
	found := []port.Supervisor{}
	for _, i := range supervisor.Instances("/proc") {
		found = append(found, describeInstance(i))
	}
	return found, nil
}

// Stop sends SIGTERM, on which the supervisor drains its services.
func (supervisors) Stop(ctx context.Context, s port.Supervisor) error {
	return supervisor.Instance{PID: s.PID, Started: s.Started}.Stop(ctx)
}

func describeInstance(i supervisor.Instance) port.Supervisor {
	s := port.Supervisor{PID: i.PID, Started: i.Started, Home: filepath.Dir(i.Dir), Removed: i.Removed, Services: []port.SupervisedService{}}
	if i.MovedTo != "" {
		s.MovedTo = filepath.Dir(i.MovedTo)
	}
	for _, key := range slices.Sorted(maps.Keys(i.State.Environments)) {
		e := i.State.Environments[key]
		if !e.ShouldRun() {
			continue
		}
		service := port.SupervisedService{Service: e.Service, Environment: e.Environment, URL: fmt.Sprintf("http://127.0.0.1:%d", e.Port)}
		if e.Promoted != nil {
			service.Release = e.Promoted.Release
		}
		s.Services = append(s.Services, service)
	}
	return s
}

// lostSupervisors describes the supervisors that were started for this folder and still
// run the service, although the folder was moved or removed.
func (t *Target) lostSupervisors(service string, env delivery.Environment) (notes []string) {
	for _, i := range supervisor.Instances("/proc") {
		e, runs := i.State.Environments[supervisor.EnvironmentKey(service, env)]
		if i.Dir != t.cfg.Dir || !runs || e.Promoted == nil {
			continue
		}
		about := fmt.Sprintf("still runs %s at http://127.0.0.1:%d; `slipway down --all` ends it", e.Promoted.Release, e.Port)
		switch {
		case i.Removed:
			notes = append(notes, fmt.Sprintf("supervisor %d of the removed state folder %s", i.PID, about))
		case i.MovedTo != "":
			notes = append(notes, fmt.Sprintf("supervisor %d of the state folder that was moved %s (it is in %s now)", i.PID, about, filepath.Dir(i.MovedTo)))
		}
	}
	return notes
}

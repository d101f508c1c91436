package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxHistory is how many deployments a status lists.
const maxHistory = 20

// Status describes what is deployed in the environment, or in each with an empty name.
func (a *App) Status(ctx context.Context, env delivery.Environment) (out []Status, err error) {
	err = a.withSession(ctx, func(s *session) error {
		names := []string{string(env)}
		if env == "" {
			names = s.project.EnvironmentNames()
		}
		for _, n := range names {
			st, err := s.status(ctx, delivery.Environment(n))
			if err != nil {
				return err
			}
			out = append(out, st)
		}
		return nil
	})
	return out, err
}

func (s *session) status(ctx context.Context, env delivery.Environment) (Status, error) {
	var target port.Target
	if s.deploys(env) {
		var err error
		if target, err = s.target(env); err != nil {
			return Status{}, err
		}
	}
	st := Status{Environment: env, Service: s.project.Service, Health: delivery.Down}
	if st.ThisMachineOnly = s.isOnMachine(env); st.ThisMachineOnly {
		st.Notes = append(st.Notes, machineOnly(env))
	}
	if err := s.syncHistory(ctx, env); err != nil {
		st.Notes = append(st.Notes, err.Error()) // continue with the local records
	}
	if n := s.pending[env]; n > 0 {
		st.Notes = append(st.Notes, pendingNote(env, n))
	}
	history, _, err := s.deps.Deployments.List(ctx, port.DeploymentFilter{Environment: env}, port.Page{Limit: maxHistory})
	if err != nil {
		return st, err
	}
	st.History = append([]delivery.Deployment{}, history...)
	if st.Held, err = s.findHeld(ctx, env); err != nil {
		return st, err
	}
	for i := range history {
		if history[i].State == delivery.Deploying {
			st.InProgress = &history[i]
			if st.Bake, err = s.bakeOf(ctx, history[i]); err != nil {
				return st, err
			}
			break
		}
	}
	if err := s.fillServing(ctx, &st); err != nil {
		return st, err
	}
	if st.Release != "" {
		st.Notes = append(st.Notes, s.evaluationNotes(env)...)
	}
	if err := s.fillQuarantined(ctx, &st); err != nil {
		return st, err
	}
	if err := s.fillRuns(ctx, &st); err != nil {
		return st, err
	}
	if st.DeploysNothing = target == nil; st.DeploysNothing {
		st.Notes = append(st.Notes, "deploys nothing: runs end after "+s.project.Environments[env].Until)
		return st, nil
	}
	return st, s.fillObserved(ctx, &st, target)
}

func (s *session) fillServing(ctx context.Context, st *Status) error {
	d, ok, err := s.deps.Deployments.Current(ctx, st.Environment)
	if err != nil || !ok {
		return err
	}
	saved, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return err
	}
	r := saved.Release
	if name := d.Instance(); name != d.Release {
		st.Instance = name
	}
	st.Release, st.Commit, st.Dirty, st.Model = d.Release, cmp.Or(d.Commit, saved.Origin.Commit), saved.Origin.Dirty, r.Model
	st.Image = ImageStatus{Reference: s.deps.Reference(r.Image), Digest: r.Image.Digest}
	st.Since, st.By, st.Actor, st.Replaced = d.ServingAt, d.By, d.Actor, d.Replaced
	st.Unsigned = d.Unsigned || saved.Unsigned
	return nil
}

func (s *session) fillQuarantined(ctx context.Context, st *Status) error {
	st.Quarantined = []delivery.Quarantine{}
	for r, err := range port.AllReleases(ctx, s.deps.Releases, port.ReleaseFilter{Quarantined: true}) {
		if err != nil {
			return err
		}
		st.Quarantined = append(st.Quarantined, *r.Quarantined)
	}
	return nil
}

func (s *session) fillRuns(ctx context.Context, st *Status) error {
	unfinished, err := s.deps.Runs.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, r := range unfinished {
		if r.Environment != st.Environment {
			continue
		}
		u, err := s.unfinishedRun(ctx, r)
		if err != nil {
			return err
		}
		if now, err := s.deps.Runs.Get(ctx, r.ID); u.State == RunKilled && err == nil && now.State != r.State {
			continue // it has ended since it was listed
		}
		st.Unfinished, st.Runs = append(st.Unfinished, r.ID), append(st.Runs, u)
	}
	waiting, err := s.deps.Runs.Waiting(ctx, st.Environment)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		w, err := s.waitingRun(ctx, r)
		if err != nil {
			return err
		}
		st.Waiting = append(st.Waiting, w)
	}
	return nil
}

// fillObserved adds what the target reports, which may differ from the records.
func (s *session) fillObserved(ctx context.Context, st *Status, target port.Target) error {
	observed, err := target.Observe(ctx, s.project.Service, st.Environment)
	if fault.Is(err, fault.Unavailable) {
		st.Health, st.Notes = delivery.UnknownHealth, append(st.Notes, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	st.Traffic = observed.Release
	st.URL, st.Replicas, st.Notes = observed.URL, observed.Replicas, append(st.Notes, observed.Notes...)
	if st.Release == "" && st.InProgress == nil && observed.Release != "" {
		st.Notes = append(st.Notes, fmt.Sprintf("these records don't have release %s, which receives the traffic: they may have been removed, or be on another machine; the next run replaces it without an interruption, but cannot restore it", observed.Release))
	}
	st.Health = healthOf(st, observed)
	return s.fillDrift(ctx, st, target)
}

// healthOf derives the health from the replicas of the observed release, and notes a
// release that differs from the recorded one.
func healthOf(st *Status, observed port.Observation) delivery.Health {
	ready, want := 0, 0
	name := cmp.Or(st.Instance, st.Release)
	for _, r := range observed.Replicas {
		if r.Release != observed.Release || r.State == port.ReplicaDraining { // about to be removed
			continue
		}
		want++
		if r.State == port.ReplicaReady {
			ready++
		}
	}
	switch {
	case observed.Release == "" || ready == 0:
		return delivery.Down
	case ready < want:
		return delivery.Degraded
	case st.Release != "" && observed.Release != name && (st.InProgress == nil || st.InProgress.Instance() != observed.Release):
		st.Notes = append(st.Notes, "the target runs release "+string(observed.Release)+", but the records name "+string(name)+": run `slipway rollback` or deploy again")
		return delivery.Degraded
	}
	return delivery.Healthy
}

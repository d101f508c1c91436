package app

import (
	"context"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// syncHistory imports deployments that the target's own history has and the local
// records lack, because another machine made them or the records are new. So a rollback
// works from any machine, and plans are never based on stale history. An environment that
// belongs to the log of the records has nothing that they lack; one that belongs to
// another log is a foreignError.
func (s *session) syncHistory(ctx context.Context, env delivery.Environment) error {
	if !s.deploys(env) {
		return nil
	}
	target, err := s.target(env)
	if err != nil {
		return err
	}
	if a, err := s.checkAnchor(ctx, env, target); err != nil || a.Mark.Log != "" {
		return err
	}
	return s.importHistory(ctx, env, target)
}

// importHistory imports what the target's history has and the records lack.
func (s *session) importHistory(ctx context.Context, env delivery.Environment, target port.Target) error {
	store, ok := target.(port.HistoryStore)
	if !ok {
		return nil
	}
	remote, err := store.LoadHistory(ctx, s.project.Service, env)
	if err != nil || len(remote.Deployments) == 0 {
		return err
	}
	if err := s.copyRecords(ctx); err != nil {
		return err
	}
	if remote, err = s.withoutForeign(ctx, env, target, remote); err != nil {
		return err
	}
	return s.importRecords(ctx, env, remote)
}

// importRecords imports what a history has and the records lack, and what is trusted there
// and pending here.
func (s *session) importRecords(ctx context.Context, env delivery.Environment, remote port.History) error {
	if err := s.importModels(ctx, env, remote.Models); err != nil {
		return err
	}
	serving, _, err := s.deps.Deployments.Current(ctx, env)
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(remote.Deployments) { // the oldest first
		if d.State == delivery.Deploying || d.StartedAt.Before(serving.ServingAt) && !serving.Unsigned {
			continue // its own run records what is in progress
		}
		known, _, err := s.deps.Deployments.List(ctx, port.DeploymentFilter{Environment: env, Run: d.Run, Release: d.Release}, port.Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(known) > 0 && (!known[0].Unsigned || d.Unsigned) {
			continue
		}
		if err := s.importDeployment(ctx, remote, d); err != nil {
			return err
		}
	}
	return nil
}

// importModels imports the model versions that the history names. A registry that
// does not import is shared by all machines and has them already. A rollback needs
// no registry, so a difference is only reported.
func (s *session) importModels(ctx context.Context, env delivery.Environment, models []delivery.ModelVersion) error {
	importer, ok := s.deps.Models.(port.ModelImporter)
	for _, m := range models {
		var err error
		if ok {
			err = importer.Import(ctx, m)
		} else if !m.Unsigned {
			err = s.compareModel(ctx, m)
		}
		switch {
		case fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound):
			s.notice(env, err.Error())
		case err != nil:
			return err
		}
	}
	return nil
}

// compareModel returns fault.Conflict if the registry has other content under the
// model's version.
func (s *session) compareModel(ctx context.Context, m delivery.ModelVersion) error {
	known, err := s.deps.Models.Get(ctx, m.Group, m.Version)
	if err == nil && known.Digest != m.Digest {
		err = fault.New(fault.Conflict, "model %s holds %s, not %s as in the target's history", m.ModelRef, known.Digest.Short(), m.Digest.Short())
	}
	return err
}

func (s *session) importDeployment(ctx context.Context, remote port.History, d delivery.Deployment) error {
	i := slices.IndexFunc(remote.Releases, func(r delivery.ReleaseRecord) bool { return r.ID == d.Release })
	if i < 0 {
		return nil // its record has expired: it can't be rolled back to either
	}
	r := remote.Releases[i]
	if _, err := s.deps.Releases.Import(ctx, r); fault.Is(err, fault.Corrupt) {
		return fault.New(fault.Corrupt, "the history of %[2]s holds a modified record of release %[1]s", d.Release, d.Environment).Cause(err).
			Hint("compare it with `slipway releases show %s` on the machine that delivered it", d.Release)
	} else if err != nil {
		return err
	}
	if err := s.importQuarantines(ctx, remote, d); err != nil {
		return err
	}
	begun, err := s.deps.Deployments.Begin(ctx, d)
	if err != nil {
		return err
	}
	s.notifyImported(d)
	if !d.ServingAt.IsZero() {
		if err := s.deps.Deployments.Accept(ctx, begun.ID, d.ServingAt); err != nil {
			return err
		}
	}
	switch d.State {
	case delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Held, delivery.Removed:
		return s.deps.Deployments.End(ctx, begun.ID, d.State, d.Reason, d.EndedAt)
	}
	return nil
}

// importQuarantines imports the quarantines of the deployment's run: of its own release,
// or of the one that it rolled back, which the local records may list as good.
func (s *session) importQuarantines(ctx context.Context, remote port.History, d delivery.Deployment) error {
	for _, r := range remote.Releases {
		if q := r.Quarantined; q == nil || q.Unsigned || r.Unsigned || r.ID != d.Release && q.Run != d.Run {
			continue
		}
		if _, err := s.deps.Releases.Import(ctx, r); fault.Is(err, fault.Corrupt) {
			continue // it was modified: importDeployment reports that
		} else if err != nil {
			return err
		}
		if err := s.deps.Releases.Quarantine(ctx, *r.Quarantined); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) notifyImported(d delivery.Deployment) {
	if d.Unsigned {
		return // what is pending is reported as a whole
	}
	s.notice(d.Environment, "imported from the history of "+string(d.Environment)+": run "+string(d.Run)+" by "+d.By+" deployed "+string(d.Release))
}

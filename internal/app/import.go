package app

import (
	"context"
	"fmt"
	"os"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/history"
)

// ExistingView is what serves in an environment and was not deployed by a run.
type ExistingView struct {
	Image    ImageStatus           `json:"image"`
	Health   string                `json:"health"` // the path at which it is checked
	Replicas int                   `json:"replicas"`
	Objects  []port.ExistingObject `json:"objects"`
	Notes    []string              `json:"notes,omitempty"`
}

// ImportReport is the result of `slipway import`.
type ImportReport struct {
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"`
	Changed     bool                 `json:"changed"` // false: it was imported before
	*ExistingView
}

// findExisting returns what serves in place of the request's release without a record;
// nil: nothing, as far as the target can tell.
func (s *session) findExisting(ctx context.Context, target port.Target, o port.DeployRequest) (*ExistingView, error) {
	importer, can := target.(port.Importer)
	if !can {
		return nil, nil //nolint:nilnil // every release has a record there
	}
	if _, recorded, err := s.deps.Deployments.Current(ctx, o.Environment); err != nil || recorded {
		return nil, err
	}
	found, ok, err := importer.FindExisting(ctx, o)
	if err != nil || !ok {
		return nil, err
	}
	img := found.Release.Image
	return &ExistingView{
		Image: ImageStatus{Reference: s.deps.Reference(img), Digest: img.Digest}, Health: found.Release.Workload.Health,
		Replicas: found.Replicas, Objects: found.Objects, Notes: found.Notes,
	}, nil
}

// Import makes what serves in the environment, and was not deployed by a run, its current
// release. Nothing is deployed, and nothing that runs is restarted.
func (a *App) Import(ctx context.Context, env delivery.Environment) (out ImportReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.importExisting(ctx, env)
		return err
	})
	return out, err
}

func (s *session) importExisting(ctx context.Context, env delivery.Environment) (ImportReport, error) {
	out := ImportReport{Environment: env}
	target, err := s.target(env)
	if err != nil {
		return out, err
	}
	if _, can := target.(port.Importer); !can {
		return out, fault.New(fault.Invalid, "import what serves in %s: its target runs nothing but what runs have deployed", env)
	}
	if r, ok, err := s.deps.Runs.Head(ctx, env); err != nil {
		return out, err
	} else if ok {
		return out, fault.New(fault.Conflict, "run %s of %s is in progress in %s", r.ID, r.By, env).Hint("wait for it, or stop it with `slipway cancel %s`", r.ID)
	}
	p, err := s.plan(ctx, RunOptions{Environment: env, AllowDirty: true}) // imports the target's history, too
	if err != nil {
		return out, err
	}
	if done, err := s.importedBefore(ctx, target, &out); done || err != nil {
		return out, err
	}
	o, _, ok, err := s.previewRequest(ctx, p)
	if err != nil {
		return out, err
	}
	if !ok {
		return out, fault.New(fault.Invalid, "import what serves in %s: a run for this commit would deploy nothing there", env).
			Hint("`slipway plan --env %s` shows why", env)
	}
	if out.ExistingView, err = s.findExisting(ctx, target, o); err != nil {
		return out, err
	}
	return out, s.adoptExisting(ctx, target, o, &out)
}

// importedBefore ends an import of what is recorded already. One that was interrupted
// goes on.
func (s *session) importedBefore(ctx context.Context, target port.Target, out *ImportReport) (bool, error) {
	current, ok, err := s.deps.Deployments.Current(ctx, out.Environment)
	if err != nil || !ok {
		return false, err
	}
	rel, err := s.deps.Releases.Get(ctx, current.Release)
	if err != nil {
		return false, err
	}
	if !rel.Origin.Imported {
		return false, fault.New(fault.Conflict, "release %s is deployed in %s: nothing is left to import", current.Release, out.Environment).
			Hint("`slipway status --env %s` shows it", out.Environment)
	}
	out.Release = current.Release
	observed, err := target.Observe(ctx, s.project.Service, out.Environment)
	return observed.Release == current.Instance(), err
}

// adoptExisting records what serves and takes it over, under the environment's lock.
func (s *session) adoptExisting(ctx context.Context, target port.Target, o port.DeployRequest, out *ImportReport) error {
	o.Run = delivery.RunID(fmt.Sprintf("import-%d", os.Getpid()))
	say := func(text string) { s.notice(o.Environment, text) }
	if l, ok := target.(port.Locker); ok {
		if err := l.Lock(ctx, o, say); err != nil {
			return err
		}
	}
	rec := history.Records{Deployments: s.deps.Deployments, Releases: s.deps.Releases, Models: s.deps.Models, Log: s.recordLog()}
	if err := rec.CheckCurrent(ctx, target, o.Service, o.Environment); err != nil {
		return err
	}
	d, ok, err := rec.Import(ctx, target, o, s.app.actor(), s.app.Clock(), say)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, "nothing serves in %s that the first release would replace", o.Environment).
			Hint("the live Service must have the name of one in your manifests")
	}
	if err := rec.PublishAccepted(ctx, target, o.Service, o.Environment); err != nil {
		return err
	}
	out.Release, out.Changed = d.Release, true
	if f, ok := target.(port.Finalizer); ok {
		rel, err := s.deps.Releases.Get(ctx, d.Release)
		if err != nil {
			return err
		}
		o.ID, o.Release, o.Secrets = d.Instance(), rel.Release, nil
		return f.Finalize(ctx, o, say)
	}
	return nil
}

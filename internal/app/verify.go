package app

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// scaffold is config's view of a folder.
func scaffold(dir string) ([]byte, string, error) {
	return config.Scaffold(os.DirFS(dir), filepath.Base(dir))
}

// starter is a target that can bring back what it served, after a reboot.
type starter interface {
	Up(ctx context.Context) error
}

// Up brings every environment's service back after a reboot or a crash.
func (a *App) Up(ctx context.Context) ([]Status, error) {
	err := a.withSession(ctx, func(s *session) error {
		for name, t := range s.deps.Targets {
			if up, ok := t.(starter); ok {
				if err := up.Up(ctx); err != nil {
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

// Down stops the service in the environment, or in all with an empty name, and
// then what was kept warm for builds, too. What served stays in the history.
func (a *App) Down(ctx context.Context, env delivery.Environment) (stopped []delivery.Environment, err error) {
	err = a.withSession(ctx, func(s *session) error {
		names := []string{string(env)}
		if env == "" {
			names = s.project.EnvironmentNames()
		}
		for _, n := range names {
			if err := s.down(ctx, delivery.Environment(n)); err != nil {
				return err
			}
			stopped = append(stopped, delivery.Environment(n))
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
	return s.deps.Deployments.End(ctx, d.ID, delivery.Removed, "taken down by "+s.app.actor(), s.app.Clock())
}

// VerifyResult is what `slipway verify` found.
type VerifyResult struct {
	Environment delivery.Environment  `json:"environment"`
	Release     delivery.ReleaseID    `json:"release"`
	Verdict     delivery.Verdict      `json:"verdict"`
	Summary     string                `json:"summary"`
	URL         string                `json:"url"`
	GateResults []delivery.GateResult `json:"answers"`
	Notes       []string              `json:"notes,omitempty"` // what the target tells besides, such as its autoscalers
}

// Verify asks what serves, as the pipeline does after a deploy, and changes nothing.
func (a *App) Verify(ctx context.Context, env delivery.Environment) (v VerifyResult, err error) {
	err = a.withSession(ctx, func(s *session) error {
		v, err = s.verify(ctx, env)
		return err
	})
	return v, err
}

func (s *session) verify(ctx context.Context, env delivery.Environment) (VerifyResult, error) {
	v := VerifyResult{Environment: env, Verdict: delivery.Failed}
	if _, err := s.project.Environment(env); err != nil {
		return v, err
	}
	if err := s.syncHistory(ctx, env); err != nil {
		return v, err
	}
	d, ok, err := s.deps.Deployments.Current(ctx, env)
	if err != nil {
		return v, err
	}
	if !ok {
		return v, fault.New(fault.NotFound, "nothing is deployed in %s", env).Hint("deploy a release with `slipway run --env %s`", env)
	}
	saved, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return v, err
	}
	spec, err := plan.VerifyStep(s.project, env, saved)
	if err != nil {
		return v, err
	}
	r := step.Request{
		Service: s.project.Service, Environment: env, StartedBy: s.app.actor(), Spec: spec, Attempt: 1, RepositoryDir: s.workspace.Repository,
		Inputs: map[string]json.RawMessage{}, Log: io.Discard, OnProgress: func(string) {}, Emit: func(event.Event) {},
	}
	res, err := s.deps.Steps[step.Verify].Run(ctx, r)
	if err != nil {
		return v, err
	}
	target, err := s.target(env)
	if err != nil {
		return v, err
	}
	if observed, err := target.Observe(ctx, s.project.Service, env); err == nil { // the verdict is there without it
		v.Notes = observed.Notes
	}
	out, _, err := step.DecodeOutput[step.DeployOutput](map[string]json.RawMessage{"verify": res.Output}, "verify")
	v.Release, v.Summary, v.URL, v.GateResults = d.Release, res.Summary, out.URL, res.GateResults
	if res.Outcome == delivery.OutcomeSucceeded {
		v.Verdict = delivery.Passed
	} else {
		v.Summary = res.Cause
	}
	return v, err
}

// ServeRegistry shows the embedded registry to other tools until ctx ends.
func (a *App) ServeRegistry(ctx context.Context, addr string, ready func(addr string)) error {
	return a.withSession(ctx, func(s *session) error { return s.deps.ServeRegistry(ctx, addr, ready) })
}

package app

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/anchor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// foreignError is that an environment belongs to another log than the records.
type foreignError struct{ error }

// Unwrap returns what is different.
func (e foreignError) Unwrap() error { return e.error }

// checkAnchor returns the environment's anchor; a foreignError if the environment
// belongs to another log than the records are in.
func (s *session) checkAnchor(ctx context.Context, env delivery.Environment, target port.Target) (port.Anchor, error) {
	a, err := s.anchorPlace(env, target).Check(ctx, s.recordLog())
	if fault.Is(err, fault.Conflict) {
		err = foreignError{err}
	}
	return a, err
}

func (s *session) anchorPlace(env delivery.Environment, target port.Target) anchor.Place {
	return anchor.Place{Target: target, Service: s.project.Service, Environment: env}
}

// recordLog returns the log that the records are in; nil: they are those of this machine.
func (s *session) recordLog() port.RecordLog {
	if s.deps.Log == nil && s.workspace.State != "" {
		return noEntries{}
	}
	return s.deps.Log
}

// noEntries is a shared state where no log has begun: a preview begins none.
type noEntries struct{}

// Newest returns the mark of no log.
func (noEntries) Newest(context.Context) (port.LogMark, error) { return port.LogMark{}, nil }

// Contains returns false.
func (noEntries) Contains(context.Context, port.LogMark) (bool, error) { return false, nil }

// changesTarget reports whether a run of the plan deploys something.
func changesTarget(p plan.Plan) bool {
	if p.Skip != "" {
		return false
	}
	for _, spec := range p.Steps {
		if spec.Kind == step.Deploy || spec.Kind == step.Rollback {
			return true
		}
	}
	return false
}

// AdoptedState is the effect of AdoptState.
type AdoptedState struct {
	Environment delivery.Environment `json:"environment"`
	Changed     bool                 `json:"changed"` // false: it belonged there already
	Anchor      port.Anchor          `json:"anchor"`
}

// AdoptState makes the environment belong to the records that are used here, whatever
// shared state it belonged to before. What its target still has of its history is
// imported into them. Who decided that and why is kept by the target, and told to the
// receivers of notifications.
func (a *App) AdoptState(ctx context.Context, env delivery.Environment, why string) (out AdoptedState, err error) {
	if why == "" {
		return out, fault.New(fault.Invalid, "adopt %s: a reason is required", env).Hint(`give one with --why "..."; the target keeps it`)
	}
	if a.isPullRequest() {
		return out, fault.New(fault.Denied, "adopt %s: a pull request can't choose the shared state of an environment", env).
			Hint("give the command on your machine, or in a job of the protected branch")
	}
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.adoptState(ctx, env, why)
		return err
	})
	return out, err
}

func (s *session) adoptState(ctx context.Context, env delivery.Environment, why string) (AdoptedState, error) {
	out := AdoptedState{Environment: env}
	target, err := s.target(env)
	if err != nil {
		return out, err
	}
	if r, ok, err := s.deps.Runs.Head(ctx, env); err != nil {
		return out, err
	} else if ok {
		return out, fault.New(fault.Conflict, "run %s of %s is in progress in %s", r.ID, r.By, env).Hint("wait for it, or stop it with `slipway cancel %s`", r.ID)
	}
	place := s.anchorPlace(env, target)
	before, err := place.Read(ctx)
	if err != nil {
		return out, err
	}
	if _, err := s.checkAnchor(ctx, env, target); err != nil {
		if err := s.importHistory(ctx, env, target); err != nil {
			return out, err
		}
	}
	decision := port.Adoption{By: s.app.actor(), Why: why, At: s.app.Clock().UTC()}
	if out.Anchor, err = place.Adopt(ctx, s.recordLog(), decision); err != nil {
		return out, err
	}
	if out.Changed = out.Anchor.Mark != before.Mark; out.Changed {
		text := fmt.Sprintf("%s belongs to %s now, and belonged to %s: adopted by %s: %s", env, logName(out.Anchor.Mark), logName(before.Mark), decision.By, why)
		s.notice(env, text)
		return out, s.announce(ctx, env, "shared state adopted", text)
	}
	return out, nil
}

func logName(m port.LogMark) string {
	if m.Log == "" {
		return "no shared state"
	}
	return fmt.Sprintf("the shared state %s (entry %d)", m.Log, m.Entry)
}

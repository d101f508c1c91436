package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
)

// RunOptions are the options of a plan or a run.
type RunOptions struct {
	Environment delivery.Environment // empty: the branch decides
	Event       string               // push | pull_request; empty: as the CI says, or push
	Branch      string               // empty: as the CI says, or what is checked out
	Retrain     bool
	Model       string // "group:3": deliver this approved version, and train nothing
	DeployOnly  bool
	Until       string
	AllowDirty  bool
}

// trigger fills in the trigger from the CI's environment or the checkout.
func (a *App) trigger(ask RunOptions, commit delivery.Commit) plan.Trigger {
	t := plan.Trigger{
		Event: plan.TriggerEvent(ask.Event), Branch: ask.Branch, Environment: ask.Environment, By: a.actor(),
		Retrain: ask.Retrain, Model: ask.Model, DeployOnly: ask.DeployOnly, Until: ask.Until,
	}
	if t.Event == "" {
		t.Event = plan.PushEvent
		if e, _ := a.getenv("GITHUB_EVENT_NAME"); e == string(plan.PullRequestEvent) {
			t.Event = plan.PullRequestEvent
		}
	}
	if t.Branch == "" && t.Event == plan.PullRequestEvent {
		t.Branch, _ = a.getenv("GITHUB_BASE_REF")
	}
	if t.Branch == "" {
		t.Branch = commit.Branch
	}
	if name, ok := a.getenv("GITHUB_REF_NAME"); ok && t.Branch == "" {
		t.Branch = name
	}
	return t
}

// Plan returns what a run would do, and changes nothing.
func (a *App) Plan(ctx context.Context, ask RunOptions) (v PlanView, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if v.Plan, err = s.plan(ctx, ask); err != nil {
			return err
		}
		v.Changes, err = s.preview(ctx, v.Plan)
		return err
	})
	return v, err
}

func (s *session) plan(ctx context.Context, ask RunOptions) (plan.Plan, error) {
	commit, err := s.deps.Source.Head(ctx, ask.AllowDirty)
	if err != nil {
		return plan.Plan{}, err
	}
	return s.makePlan(ctx, s.app.trigger(ask, commit), commit)
}

package app

import (
	"cmp"
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
)

// RunOptions are the options of a plan or a run.
type RunOptions struct {
	Environment delivery.Environment // empty: the branch decides
	Event       string               // push | pull_request; empty: as the CI says, or push
	Branch      string               // empty: as the CI says, or what is checked out
	Tag         string               // empty: as the CI says, unless a branch is given
	Retrain     bool
	Model       string // "group:3": deliver this approved version, and train nothing
	Rebuild     bool
	DeployOnly  bool
	Until       string
	AllowDirty  bool
	KeepGoing   bool
}

// trigger fills in the trigger from the CI's environment or the checkout. What the
// CI reports about itself is kept beside what the options claim.
func (a *App) trigger(ask RunOptions, commit delivery.Commit) plan.Trigger {
	by := a.actor()
	t := plan.Trigger{
		Event: plan.TriggerEvent(ask.Event), Branch: ask.Branch, Tag: ask.Tag, Environment: ask.Environment, By: by.String(), Actor: by,
		Retrain: ask.Retrain, Rebuild: ask.Rebuild, Model: ask.Model, DeployOnly: ask.DeployOnly, Until: ask.Until, KeepGoing: ask.KeepGoing,
	}
	job := a.ci(plan.Trigger{Event: cmp.Or(t.Event, plan.PushEvent), Branch: cmp.Or(t.Branch, commit.Branch), Tag: t.Tag})
	if t.Event == "" && job != nil {
		t.Event = job.Event
	}
	if t.Branch == "" && t.Tag == "" && job != nil && job.Event == t.Event {
		t.Branch, t.Tag = job.Branch, job.Tag
	}
	t.Event = cmp.Or(t.Event, plan.PushEvent)
	if t.Branch == "" && t.Tag == "" && (job == nil || job.Tag == "") {
		t.Branch = commit.Branch
	}
	t.CI = job
	return t
}

// Plan returns what a run would do, with all that would make it fail. It writes
// neither to the repository nor to the state folder.
func (a *App) Plan(ctx context.Context, ask RunOptions) (v PlanView, err error) {
	err = a.during(ask.Event).withPreviewSession(ctx, func(s *session) error {
		if v, err = s.planned(ctx, ask); err != nil || len(v.Problems) > 0 {
			return err // rendering what can't be deployed would only fail, too
		}
		return s.previewDeploy(ctx, &v)
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

package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// RunOptions is what a person asks of a plan or a run.
type RunOptions struct {
	Environment delivery.Environment // empty: the branch decides
	Event       string               // push | pull_request; empty: as the CI says, or push
	Branch      string               // empty: as the CI says, or what is checked out
	Retrain     bool
	DeployOnly  bool
	Until       string
	AllowDirty  bool
}

// trigger fills in what the CI's environment or the checkout says.
func (a *App) trigger(ask RunOptions, commit delivery.Commit) plan.Trigger {
	t := plan.Trigger{
		Event: ask.Event, Branch: ask.Branch, Environment: ask.Environment, By: a.actor(),
		Retrain: ask.Retrain, DeployOnly: ask.DeployOnly, Until: ask.Until,
	}
	if t.Event == "" {
		t.Event = "push"
		if e, _ := a.getenv("GITHUB_EVENT_NAME"); e == "pull_request" {
			t.Event = e
		}
	}
	if t.Branch == "" && t.Event == "pull_request" {
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

// Plan says what a run would do, and touches nothing.
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

// Run plans and delivers. Runs of the environment that a killed process left
// behind are finished first.
func (a *App) Run(ctx context.Context, ask RunOptions) (rep RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		p, err := s.plan(ctx, ask)
		if err != nil {
			return err
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Run(ctx, p) })
		return err
	})
	return rep, err
}

// Resume finishes a run that was killed, or every such run with an empty id.
func (a *App) Resume(ctx context.Context, ref string) (reps []RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		ids, err := s.unfinished(ctx, ref)
		if err != nil {
			return err
		}
		for _, id := range ids {
			rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Resume(ctx, id) })
			if err != nil {
				return err
			}
			reps = append(reps, rep)
		}
		return nil
	})
	return reps, err
}

func (s *session) unfinished(ctx context.Context, ref string) ([]delivery.RunID, error) {
	if ref != "" {
		r, err := s.run(ctx, ref)
		return []delivery.RunID{r.ID}, err
	}
	runs, err := s.deps.Runs.Unfinished(ctx)
	var ids []delivery.RunID
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	if err == nil && len(ids) == 0 {
		err = fault.New(fault.NotFound, "no unfinished run found").Hint("start one with `slipway run`")
	}
	return ids, err
}

// run finds a run by its name, the beginning or end of it, or "latest".
func (s *session) run(ctx context.Context, ref string) (record.Run, error) {
	if id := delivery.RunID(ref); id.Valid() {
		return s.deps.Runs.Get(ctx, id)
	}
	all, err := s.deps.Runs.List(ctx, "", 0)
	if err != nil {
		return record.Run{}, err
	}
	var found []record.Run
	for _, r := range all {
		if ref == "latest" || strings.HasPrefix(string(r.ID), ref) || strings.HasSuffix(string(r.ID), ref) {
			found = append(found, r)
		}
		if ref == "latest" && len(found) == 1 {
			break
		}
	}
	switch {
	case ref == "" || len(found) == 0:
		return record.Run{}, fault.New(fault.NotFound, "run %q not found", ref).Hint("`slipway releases` and `slipway status` show runs; `latest` is the newest")
	case len(found) > 1:
		return record.Run{}, fault.New(fault.Invalid, "%d runs match %q", len(found), ref).Hint("use a longer prefix, such as %s", found[0].ID)
	}
	return found[0], nil
}

// execute runs the engine with news going out beside it, and reports.
func (s *session) execute(ctx context.Context, do func() (record.Run, error)) (RunReport, error) {
	news, err := s.startNotifications(ctx)
	if err != nil {
		return RunReport{}, err
	}
	s.engine.Sink = event.Tee(s.engine.Sink, news)
	s.recoverTargets(ctx)
	r, err := do()
	news.Close()
	if err != nil {
		return RunReport{}, err
	}
	return s.report(context.WithoutCancel(ctx), r)
}

func (s *session) report(ctx context.Context, r record.Run) (RunReport, error) {
	rep := RunReport{Run: r.ID, Release: r.Release, Environment: r.Environment, Outcome: r.Outcome, Cause: r.Cause, Hint: r.Hint, Steps: []StepReport{}}
	if r.State == record.Waiting {
		rep.Outcome = delivery.OutcomeWaiting
	}
	if !r.EndedAt.IsZero() && !r.StartedAt.IsZero() {
		rep.Seconds = seconds(r.StartedAt, r.EndedAt)
	}
	steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
	for _, st := range steps {
		if st.Result == nil {
			continue
		}
		res := *st.Result
		rep.Steps = append(rep.Steps, StepReport{Name: st.Name, Outcome: res.Outcome, Cached: res.Cached,
			Seconds: seconds(res.Started, res.Ended), Summary: res.Summary, Cause: res.Cause})
		var d step.DeployOutput
		if json.Unmarshal(res.Output, &d) == nil && d.URL != "" {
			rep.URL = d.URL
		}
	}
	return rep, err
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return float64(to.Sub(from).Milliseconds()) / 1000
}

// Cancel stops a run, wherever it runs, and waits until it has ended.
func (a *App) Cancel(ctx context.Context, ref string) (rep RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		r, err := s.run(ctx, ref)
		if err != nil {
			return err
		}
		if r.State == record.Ended {
			return fault.New(fault.Conflict, "run %s has already ended: %s", r.ID, r.Outcome)
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Cancel(ctx, r.ID, a.actor()) })
		return err
	})
	return rep, err
}

// Rollback takes the environment back to a release that was good.
func (a *App) Rollback(ctx context.Context, env delivery.Environment, to delivery.ReleaseID, why string) (rep RunReport, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if _, err := s.project.Environment(env); err != nil {
			return err
		}
		t := plan.Trigger{Event: "manual", Environment: env, By: a.actor(), Rollback: true, To: to, Why: why}
		p, err := s.makePlan(ctx, t, delivery.Commit{})
		if err != nil {
			return err
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Run(ctx, p) })
		return err
	})
	return rep, err
}

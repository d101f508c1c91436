package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// Decision approves or rejects a model version ("group:3") or a waiting run.
type Decision struct {
	Subject         string
	Approve         bool
	Why             string
	By              string // a note of who decided, if it is not who runs the command
	NoWait          bool   // only record it; `slipway run --resume` continues the run
	EvenThoughOlder bool   // the run may replace the release of a later one
	Serving         string // what happens where a model is deployed that loses its approval: KeepServing or RollBackServing

	actor delivery.Actor
}

// DecisionResult is the effect of a decision.
type DecisionResult struct {
	Model       *delivery.ModelVersion `json:"model,omitempty"`
	Run         *RunReport             `json:"run,omitempty"`  // the first of Runs
	Runs        []RunReport            `json:"runs,omitempty"` // that waited for it, and went on, in order
	WaitingRun  delivery.RunID         `json:"waits,omitempty"`
	WaitingRuns []delivery.RunID       `json:"waiting,omitempty"`   // could go on
	Overtaken   []WaitingRun           `json:"overtaken,omitempty"` // keep waiting: later runs are deployed
	Rollbacks   []RunReport            `json:"rollbacks,omitempty"` // of environments with a model that lost its approval
}

// Decide records the decision, and continues the runs that wait for it, in the order
// in which they were created.
func (a *App) Decide(ctx context.Context, d Decision) (out DecisionResult, err error) {
	d.actor = a.actor()
	if d.By != "" {
		d.actor = d.actor.Claiming(d.By, delivery.MeansFlag)
	}
	if !d.Approve && d.Why == "" {
		return out, fault.New(fault.Invalid, "reject %s: a reason is required", d.Subject).Hint(`give one with --why "..."; it is kept in the records`)
	}
	err = a.withSession(ctx, func(s *session) error {
		runs, err := s.decide(ctx, d, &out)
		if err != nil || len(runs) == 0 {
			return err
		}
		if d.NoWait {
			out.WaitingRun = runs[0].ID
			for _, r := range runs {
				out.WaitingRuns = append(out.WaitingRuns, r.ID)
			}
			return nil
		}
		return s.continueRuns(ctx, d, runs, &out)
	})
	return out, err
}

// continueRuns continues the runs one after the other. One that is overtaken by the
// time it is its turn keeps waiting, unless the decision was about it.
func (s *session) continueRuns(ctx context.Context, d Decision, runs []record.RunSummary, out *DecisionResult) error {
	for _, run := range runs {
		w, err := s.waitingRun(ctx, run)
		if err != nil {
			return err
		}
		if d.Approve && !d.EvenThoughOlder && w.OvertakenBy != nil {
			out.Overtaken = append(out.Overtaken, w)
			continue
		}
		rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Resume(ctx, run.ID) })
		if err != nil {
			return err
		}
		out.Runs = append(out.Runs, rep)
		out.Run = &out.Runs[0]
	}
	return nil
}

// decide records the decision, and finds the runs that wait for it.
func (s *session) decide(ctx context.Context, d Decision, out *DecisionResult) ([]record.RunSummary, error) {
	ref, ok := modelRef(d.Subject)
	if err := checkServing(d, ok); err != nil {
		return nil, err
	}
	if ok {
		if d.EvenThoughOlder {
			return nil, fault.New(fault.Invalid, "--even-though-older is about a run, not about model %s", ref).
				Hint("approve the model, then the run: `slipway status` lists those that wait")
		}
		if err := s.decideModel(ctx, d, ref, out); err != nil {
			return nil, err
		}
		return s.runsWaitingFor(ctx, ref)
	}
	return s.decideRun(ctx, d, out)
}

func (s *session) decideRun(ctx context.Context, d Decision, out *DecisionResult) ([]record.RunSummary, error) {
	run, err := s.run(ctx, d.Subject)
	if fault.Is(err, fault.NotFound) {
		return nil, s.adviseWaiting(ctx, fault.New(fault.NotFound, "run %q not found", d.Subject))
	}
	if err != nil {
		return nil, err
	}
	if run.State != record.Waiting {
		return nil, s.adviseWaiting(ctx, fault.New(fault.Conflict, "run %s is not waiting for an approval: it is %s", run.ID, run.State))
	}
	overtaker, err := s.checkOrder(ctx, d, run)
	if err != nil {
		return nil, err
	}
	ref, err := s.modelOf(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	waiting := []record.RunSummary{run.RunSummary}
	if ref != nil {
		m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
		if err == nil && m.Status == delivery.PendingApproval {
			if err = s.decideModel(ctx, d, *ref, out); err == nil && !d.EvenThoughOlder {
				waiting, err = s.runsWaitingFor(ctx, *ref) // the run is one of them
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return waiting, s.recordApprovals(ctx, d, run, overtaker)
}

// adviseWaiting adds the runs that do wait for a decision.
func (s *session) adviseWaiting(ctx context.Context, why *fault.Error) error {
	runs, err := s.deps.Runs.Waiting(ctx, "")
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return why.Hint("no run is waiting for a decision; `slipway runs` lists all of them")
	}
	var names []string
	for _, r := range runs {
		names = append(names, fmt.Sprintf("%s (%s, commit %s)", r.ID, r.Environment, delivery.Commit{SHA: r.Commit}.Short()))
	}
	return why.Hint("waiting for a decision: %s", strings.Join(names, ", "))
}

// recordApprovals records the decision on the run itself.
func (s *session) recordApprovals(ctx context.Context, d Decision, run record.Run, overtaker *record.Overtaker) error {
	var subjects []port.ApprovalSubject
	if overtaker != nil && d.Approve {
		subjects = append(subjects, port.ApproveOlder(overtaker.Run))
	}
	budget, err := s.waitsForBudget(ctx, run)
	switch {
	case err != nil:
		return err
	case budget: // what is deployed is not known yet
		subjects = append(subjects, port.ApproveBudget)
	case deployApprovals(run.Plan) > 0:
		subjects = append(subjects, port.ApproveDeploy)
	}
	for _, subject := range subjects {
		a := port.Approval{
			Run: run.ID, Subject: subject, Commit: run.Plan.Commit.SHA, Plan: run.PlanDigest,
			By: d.actor, Approved: d.Approve, Reason: d.Why, At: s.app.Clock(),
		}
		if err := s.deps.Approvals.Record(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) decideModel(ctx context.Context, d Decision, ref delivery.ModelRef, out *DecisionResult) error {
	status := delivery.Rejected
	if d.Approve {
		status = delivery.Approved
	}
	found, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
	if err != nil {
		return err
	}
	if d.Why == "" && found.Status != delivery.PendingApproval && found.Status != status {
		return fault.New(fault.Invalid, "approve %s: a reason is required, since it was rejected by %s: %s", found, found.DecidedBy, found.Why).
			Hint(`give one with --why "..."; it is kept in the records`)
	}
	rollbacks, err := s.planRevocation(ctx, d, found)
	if err != nil {
		return err
	}
	m, err := s.deps.Models.Decide(ctx, found.ModelRef, delivery.ModelDecision{Status: status, Revises: found.Status, By: d.actor, Why: d.Why})
	if err != nil {
		return err
	}
	out.Model = &m
	return s.rollBackRevoked(ctx, rollbacks, out)
}

// runsWaitingFor lists the waiting runs that registered the model, oldest first.
func (s *session) runsWaitingFor(ctx context.Context, ref delivery.ModelRef) (found []record.RunSummary, err error) {
	runs, err := s.deps.Runs.Waiting(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		m, err := s.modelOf(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Group == ref.Group && m.Version == ref.Version {
			found = append(found, r)
		}
	}
	return found, nil
}

// modelOf returns the model that a run registered, or nil.
func (s *session) modelOf(ctx context.Context, id delivery.RunID) (*delivery.ModelRef, error) {
	steps, err := s.deps.Runs.ListSteps(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, st := range steps {
		if st.Kind != step.Register || st.Result == nil {
			continue
		}
		given := map[string]json.RawMessage{st.Name: st.Result.Output}
		out, ok, err := step.DecodeOutput[step.RegisterOutput](given, st.Name)
		if err != nil || ok {
			return &out.Model, err
		}
	}
	return nil, nil
}

func deployApprovals(p plan.Plan) int {
	for _, spec := range p.Steps {
		if spec.Kind != step.Approve {
			continue
		}
		if w, err := step.ParamsOf[step.ApproveParams](spec); err == nil {
			return w.DeployApprovals
		}
	}
	return 0
}

// modelRef parses "group:version".
func modelRef(s string) (delivery.ModelRef, bool) {
	group, version, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(version)
	return delivery.ModelRef{Group: group, Version: n}, ok && err == nil && group != "" && n > 0
}

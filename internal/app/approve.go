package app

import (
	"context"
	"encoding/json"
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
	Subject string
	Approve bool
	Why     string
	By      string // empty: who runs the command
	NoWait  bool   // only record it; `slipway run --resume` continues the run
}

// DecisionResult is the effect of a decision.
type DecisionResult struct {
	Model      *delivery.ModelVersion `json:"model,omitempty"`
	Run        *RunReport             `json:"run,omitempty"` // that waited for it, and went on
	WaitingRun delivery.RunID         `json:"waits,omitempty"`
}

// Decide records the decision, and continues the run that waits for it.
func (a *App) Decide(ctx context.Context, d Decision) (out DecisionResult, err error) {
	if d.By == "" {
		d.By = a.actor()
	}
	if !d.Approve && d.Why == "" {
		return out, fault.New(fault.Invalid, "reject %s: a reason is required", d.Subject).Hint(`give one with --why "..."; it is kept in the records`)
	}
	err = a.withSession(ctx, func(s *session) error {
		run, err := s.decide(ctx, d, &out)
		if err != nil || run == nil {
			return err
		}
		if d.NoWait {
			out.WaitingRun = run.ID
			return nil
		}
		rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Resume(ctx, run.ID) })
		out.Run = &rep
		return err
	})
	return out, err
}

// decide records the decision, and finds the run that waits for it.
func (s *session) decide(ctx context.Context, d Decision, out *DecisionResult) (*record.Run, error) {
	if ref, ok := modelRef(d.Subject); ok {
		if err := s.decideModel(ctx, d, ref, out); err != nil {
			return nil, err
		}
		return s.runWaitingFor(ctx, ref)
	}
	run, err := s.run(ctx, d.Subject)
	if err != nil {
		return nil, err
	}
	if run.State != record.Waiting {
		return nil, fault.New(fault.Conflict, "run %s is not waiting for an approval: it is %s", run.ID, run.State).Hint("`slipway status` shows unfinished runs")
	}
	ref, err := s.modelOf(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	if ref != nil {
		m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
		if err == nil && m.Status == delivery.PendingApproval {
			err = s.decideModel(ctx, d, *ref, out)
		}
		if err != nil {
			return nil, err
		}
	}
	if deployApprovals(run.Plan) > 0 {
		word := port.Approval{Run: run.ID, Subject: port.ApproveDeploy, By: d.By, Approved: d.Approve, Reason: d.Why, At: s.app.Clock()}
		if err := s.deps.Approvals.Record(ctx, word); err != nil {
			return nil, err
		}
	}
	return &run, nil
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
	m, err := s.deps.Models.Decide(ctx, found.ModelRef, status, d.By, d.Why)
	if err == nil {
		out.Model = &m
	}
	return err
}

// runWaitingFor returns the oldest waiting run that registered the model, or nil.
func (s *session) runWaitingFor(ctx context.Context, ref delivery.ModelRef) (*record.Run, error) {
	runs, err := s.deps.Runs.List(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].State != record.Waiting {
			continue
		}
		m, err := s.modelOf(ctx, runs[i].ID)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Group == ref.Group && m.Version == ref.Version {
			return &runs[i], nil
		}
	}
	return nil, nil
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

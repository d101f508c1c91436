// Package approve waits for approvals: of the registered model, and of the
// deployment.
package approve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/alarm"
)

// autoApprover is recorded as the approver if the project approves models
// automatically. It is stored.
const autoApprover = "auto: gates passed"

// subject is what approvals of a deployment speak of.
const subject = "deploy"

// Step approves.
type Step struct {
	Models    port.ModelRegistry
	Approvals port.ApprovalStore
	Monitors  step.Monitors // nil: plans with alarms can't be run
	Clock     step.Clock
}

// Run returns at once: succeeded, failed (rejected) or waiting. Its output is
// step.ApproveOutput.
//
// Each person counts once. If one approval is required, whoever started the run
// may give it. If more are required, that many others must: the starter has
// agreed by starting it.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.ApproveParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	var out step.ApproveOutput
	var decisions []decision
	if w.Model {
		a, ref, err := s.registeredModelDecision(ctx, r, w)
		if err != nil {
			return step.Result{}, err
		}
		out.Model = &ref
		decisions = append(decisions, a)
	}
	if w.DeployApprovals > 0 {
		a, by, err := s.deployDecision(ctx, r, w)
		if err != nil {
			return step.Result{}, err
		}
		for _, actor := range by {
			out.By = append(out.By, actor.String())
		}
		out.Actors = by
		decisions = append(decisions, a)
	}
	if res, ended, err := s.askAlarms(ctx, r, w); ended || err != nil {
		return res, err
	}
	return conclude(r, decisions, out)
}

// askAlarms ends the wait if an alarm of the environment is raised: nothing may be
// deployed then, whoever approves. Alarms that can't be asked are asked again before the
// deployment, which does not begin without them.
func (s Step) askAlarms(ctx context.Context, r step.Request, w step.ApproveParams) (res step.Result, ended bool, err error) {
	guard, err := alarm.New(s.Monitors, w.Alarms, r, s.Clock)
	if err != nil {
		return res, false, err
	}
	raised, err := guard.Raised(ctx)
	if err != nil {
		r.Logf("the alarms could not be checked: %v", err)
	}
	if raised == "" {
		return res, false, nil
	}
	res = step.Fail("before the deployment, %s", raised)
	res.InfrastructureFailure, res.Hint = true, "start a new run once it is OK; nothing was deployed"
	return res, true, nil
}

// decision is the result of one approval, with how to give it if it is pending.
type decision struct {
	delivery.GateResult
	waiting bool
	hint    string
}

// conclude combines the decisions: a rejection wins over waiting, and waiting
// over approval.
func conclude(r step.Request, decisions []decision, out step.ApproveOutput) (step.Result, error) {
	var evidence, hints []string
	outcome := delivery.OutcomeSucceeded
	var answers []delivery.GateResult
	for _, w := range decisions {
		evidence = append(evidence, w.Evidence)
		if w.waiting {
			hints = append(hints, w.hint)
			if outcome == delivery.OutcomeSucceeded {
				outcome = delivery.OutcomeWaiting
			}
			continue
		}
		answers = append(answers, w.GateResult)
		r.ReportGates(w.GateResult)
		if w.Verdict != delivery.Passed {
			outcome = delivery.OutcomeFailed
		}
	}
	if len(evidence) == 0 {
		evidence = []string{"no approval required"}
	}
	res, err := step.Succeed(strings.Join(evidence, "; "), out)
	if err != nil {
		return step.Result{}, err
	}
	res.Outcome, res.GateResults = outcome, answers
	if outcome != delivery.OutcomeSucceeded {
		res.Cause = strings.Join(evidence, "; ")
	}
	if outcome == delivery.OutcomeWaiting {
		res.Hint = strings.Join(hints, "; ")
	}
	return res, nil
}

// registeredModelDecision returns the decision on the registered version.
func (s Step) registeredModelDecision(ctx context.Context, r step.Request, w step.ApproveParams) (decision, delivery.ModelRef, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return decision{}, reg.Model, err
	}
	if !ok {
		return decision{}, reg.Model, fault.New(fault.Internal, "approve %s: the plan has no register step before it", w.Group)
	}
	v, err := s.Models.Get(ctx, reg.Model.Group, reg.Model.Version)
	if err != nil {
		return decision{}, reg.Model, fmt.Errorf("read the approval of model %s: %w", reg.Model, err)
	}
	if v.Digest != reg.Model.Digest {
		return decision{}, reg.Model, fault.New(fault.Corrupt, "model %s is recorded with digest %s, but was registered with %s",
			reg.Model, v.Digest.Short(), reg.Model.Digest.Short())
	}
	if v.Status == delivery.PendingApproval && w.Auto {
		if v, err = s.autoApprove(ctx, reg.Model); err != nil {
			return decision{}, reg.Model, err
		}
	}
	return modelDecision(v), reg.Model, nil
}

// autoApprove approves the model; a person who decided at the same moment has
// precedence.
func (s Step) autoApprove(ctx context.Context, ref delivery.ModelRef) (delivery.ModelVersion, error) {
	v, err := s.Models.Decide(ctx, ref, delivery.ModelDecision{
		Status: delivery.Approved, Revises: delivery.PendingApproval, By: delivery.Actor{Name: autoApprover, Means: delivery.MeansAuto},
	})
	if fault.Is(err, fault.Conflict) {
		v, err = s.Models.Get(ctx, ref.Group, ref.Version)
	}
	if err != nil {
		return v, fmt.Errorf("approve model %s: %w", ref, err)
	}
	return v, nil
}

func modelDecision(v delivery.ModelVersion) decision {
	a := decision{GateResult: delivery.GateResult{Gate: "approve: model " + v.String(), Verdict: delivery.Failed}}
	switch v.Status {
	case delivery.Approved:
		a.Verdict = delivery.Passed
		a.Evidence = fmt.Sprintf("model %s approved by %s%s", v, userName(v.DecidedBy), reasonSuffix(v.Why))
	case delivery.PendingApproval:
		a.waiting = true
		a.Evidence = fmt.Sprintf("model %s is pending approval", v)
		a.hint = fmt.Sprintf("slipway approve %s", v)
	case delivery.Rejected:
		a.Evidence = fmt.Sprintf("model %s rejected by %s%s", v, userName(v.DecidedBy), reasonSuffix(v.Why))
	default:
		a.Verdict = delivery.Unavailable
		a.Evidence = fmt.Sprintf("investigate: model %s has unknown status %q", v, v.Status)
	}
	return a
}

// deployDecision counts the approvals of this run.
func (s Step) deployDecision(ctx context.Context, r step.Request, w step.ApproveParams) (decision, []delivery.Actor, error) {
	required := w.DeployApprovals
	a := decision{GateResult: delivery.GateResult{Gate: fmt.Sprintf("approve: deploy to %s", r.Environment), Verdict: delivery.Failed}}
	approvals, err := s.Approvals.List(ctx, r.Run)
	if err != nil {
		return a, nil, fmt.Errorf("read the approvals of %s: %w", r.Run, err)
	}
	var approvers, counted, ignored []delivery.Actor
	for _, given := range approvals {
		if given.Subject != subject || given.By.IsZero() || !given.IsAbout(r.Commit.SHA, r.PlanDigest) || slices.ContainsFunc(counted, given.By.Same) {
			continue
		}
		listed := given.By.IsInAll(w.Approvers)
		if listed {
			counted = append(counted, given.By)
		}
		if !given.Approved {
			a.Evidence = fmt.Sprintf("%s rejected the deployment%s", given.By.Title(), reasonSuffix(given.Reason))
			return a, nil, nil
		}
		if !listed {
			ignored = append(ignored, given.By)
		} else if required == 1 || !given.By.Same(r.StartedBy) {
			approvers = append(approvers, given.By)
		}
	}
	if len(approvers) < required {
		a.waiting, a.hint = true, fmt.Sprintf("slipway approve %s", r.Run)
		a.Evidence = fmt.Sprintf("%d of %d approvals for %s", len(approvers), required, r.Environment)
		if required > 1 {
			a.Evidence += ", not counting " + userName(r.StartedBy.String()) + ", who started the run"
		}
		if len(ignored) > 0 {
			a.Evidence += ", not counting those that the policy does not list: " + joinNames(ignored)
		}
		return a, approvers, nil
	}
	a.Verdict, a.Evidence = delivery.Passed, fmt.Sprintf("deployment to %s approved by %s", r.Environment, joinNames(approvers))
	return a, approvers, nil
}

func joinNames(actors []delivery.Actor) string {
	var names []string
	for _, a := range actors {
		names = append(names, a.Title())
	}
	return strings.Join(names, ", ")
}

func userName(name string) string {
	if name == "" {
		return "an unknown user"
	}
	return name
}

func reasonSuffix(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

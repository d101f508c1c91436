// Package approve waits for people: for the model's approval, and for those who
// let a run into its environment.
package approve

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// auto is who approves when nobody has to.
const auto = "auto: gates passed"

// subject is what approvals of a deployment speak of.
const subject = "deploy"

// Step approves.
type Step struct {
	Models    port.ModelRegistry
	Approvals port.ApprovalStore
}

// Run answers at once: succeeded, failed (somebody said no) or waiting. Its
// output is step.ApproveOutput.
//
// Who counts: each person once. When one approval is asked, whoever started the
// run may give it. When more are asked, that many others must: the starter has
// spoken by starting it.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.ApproveParams](r)
	if err != nil {
		return step.Result{}, err
	}
	var out step.ApproveOutput
	var words []answer
	if w.Model {
		a, ref, err := s.model(ctx, r, w)
		if err != nil {
			return step.Result{}, err
		}
		out.Model = &ref
		words = append(words, a)
	}
	if w.DeployApprovals > 0 {
		a, by, err := s.deploy(ctx, r, w.DeployApprovals)
		if err != nil {
			return step.Result{}, err
		}
		out.By = by
		words = append(words, a)
	}
	return conclude(r, words, out)
}

// answer is what one of the questions came to.
type answer struct {
	delivery.GateResult
	waiting bool
	hint    string
}

// conclude lets a no win over waiting, and waiting over yes.
func conclude(r step.Request, words []answer, out step.ApproveOutput) (step.Result, error) {
	var said, hints []string
	outcome := delivery.OutcomeSucceeded
	var answers []delivery.GateResult
	for _, w := range words {
		said = append(said, w.Evidence)
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
	if len(said) == 0 {
		said = []string{"nobody has to approve"}
	}
	res, err := step.Succeed(strings.Join(said, "; "), out)
	if err != nil {
		return step.Result{}, err
	}
	res.Outcome, res.GateResults = outcome, answers
	if outcome != delivery.OutcomeSucceeded {
		res.Cause = strings.Join(said, "; ")
	}
	if outcome == delivery.OutcomeWaiting {
		res.Hint = strings.Join(hints, "; ")
	}
	return res, nil
}

// model asks for the state of the registered version.
func (s Step) model(ctx context.Context, r step.Request, w step.ApproveParams) (answer, delivery.ModelRef, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return answer{}, reg.Model, err
	}
	if !ok {
		return answer{}, reg.Model, fault.New(fault.Internal, "approve %s: no registration ran before it", w.Group)
	}
	v, err := s.Models.Get(ctx, reg.Model.Group, reg.Model.Version)
	if err != nil {
		return answer{}, reg.Model, fmt.Errorf("read the approval of model %s: %w", reg.Model, err)
	}
	if v.Digest != reg.Model.Digest {
		return answer{}, reg.Model, fault.New(fault.Corrupt, "model %s is recorded as %s, not as the %s that was registered",
			reg.Model, v.Digest.Short(), reg.Model.Digest.Short())
	}
	if v.Status == delivery.PendingApproval && w.Auto {
		if v, err = s.decide(ctx, reg.Model); err != nil {
			return answer{}, reg.Model, err
		}
	}
	return modelAnswer(v), reg.Model, nil
}

// decide approves; a person who decided in the same moment has the last word.
func (s Step) decide(ctx context.Context, ref delivery.ModelRef) (delivery.ModelVersion, error) {
	v, err := s.Models.Decide(ctx, ref, delivery.Approved, auto, "")
	if fault.Is(err, fault.Conflict) {
		v, err = s.Models.Get(ctx, ref.Group, ref.Version)
	}
	if err != nil {
		return v, fmt.Errorf("approve model %s: %w", ref, err)
	}
	return v, nil
}

func modelAnswer(v delivery.ModelVersion) answer {
	a := answer{GateResult: delivery.GateResult{Gate: "approve: model " + v.String(), Verdict: delivery.Failed}}
	switch v.Status {
	case delivery.Approved:
		a.Verdict = delivery.Passed
		a.Evidence = fmt.Sprintf("model %s approved by %s%s", v, who(v.DecidedBy), because(v.Why))
	case delivery.PendingApproval:
		a.waiting = true
		a.Evidence = fmt.Sprintf("model %s waits for approval", v)
		a.hint = fmt.Sprintf("slipway approve %s", v)
	case delivery.Rejected:
		a.Evidence = fmt.Sprintf("model %s rejected by %s%s", v, who(v.DecidedBy), because(v.Why))
	default:
		a.Verdict = delivery.Unavailable
		a.Evidence = fmt.Sprintf("investigate: model %s has the unknown status %q", v, v.Status)
	}
	return a
}

// deploy counts the words on this run.
func (s Step) deploy(ctx context.Context, r step.Request, need int) (answer, []string, error) {
	a := answer{GateResult: delivery.GateResult{Gate: fmt.Sprintf("approve: deploy to %s", r.Environment), Verdict: delivery.Failed}}
	words, err := s.Approvals.List(ctx, r.Run)
	if err != nil {
		return a, nil, fmt.Errorf("read the approvals of %s: %w", r.Run, err)
	}
	var by []string
	heard := map[string]bool{}
	for _, w := range words {
		if w.Subject != subject || w.By == "" || heard[w.By] {
			continue
		}
		heard[w.By] = true
		if !w.Approved {
			a.Evidence = fmt.Sprintf("%s said no%s", w.By, because(w.Reason))
			return a, nil, nil
		}
		if need == 1 || w.By != r.StartedBy {
			by = append(by, w.By)
		}
	}
	if len(by) < need {
		a.waiting, a.hint = true, fmt.Sprintf("slipway approve %s", r.Run)
		a.Evidence = fmt.Sprintf("%d of %d approvals for %s", len(by), need, r.Environment)
		if need > 1 {
			a.Evidence += ", not counting " + who(r.StartedBy) + " who started it"
		}
		return a, by, nil
	}
	a.Verdict, a.Evidence = delivery.Passed, fmt.Sprintf("let into %s by %s", r.Environment, strings.Join(by, ", "))
	return a, by, nil
}

func who(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

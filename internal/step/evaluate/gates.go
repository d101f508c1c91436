package evaluate

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/gate"
	"github.com/slipway-cd/slipway/internal/step"
)

func compileGates(exprs []string) ([]gate.Gate, error) {
	gates := make([]gate.Gate, len(exprs))
	for i, expr := range exprs {
		g, err := gate.Compile(expr)
		if err != nil {
			return nil, fault.New(fault.Invalid, "read the gate %q", expr).Cause(err)
		}
		gates[i] = g
	}
	return gates, nil
}

// evaluateGates evaluates all gates, so that every result is reported and not
// only the first failure.
func (s Step) evaluateGates(ctx context.Context, r step.Request, gates []gate.Gate, note string, out step.EvaluateOutput) (step.Result, error) {
	champion, err := s.champion(ctx, r.Environment)
	if err != nil {
		return step.Result{}, err
	}
	out.GateResults = nil
	answers := make([]delivery.GateResult, 0, len(gates))
	for _, g := range gates {
		a := g.Evaluate(out.Metrics, champion)
		a.Gate = "evaluate: " + g.String()
		a.Evidence = withNote(a.Evidence, note)
		r.ReportGates(a)
		answers = append(answers, a)
		if !strings.Contains(g.String(), "champion") {
			out.GateResults = append(out.GateResults, a)
		}
	}
	summary := fmt.Sprintf("%d of %d gates passed", countVerdict(answers, delivery.Passed), len(answers))
	if len(gates) == 0 {
		summary = "no gates: any model passes"
	}
	res, err := step.Succeed(withNote(summary, note), out)
	if err != nil {
		return step.Result{}, err
	}
	res.GateResults = answers
	switch {
	case countVerdict(answers, delivery.Unavailable) > 0:
		res.Outcome = delivery.OutcomeFailed
		res.Cause = "investigate: " + describe(answers, delivery.Unavailable)
		res.Hint = "a gate that could not be evaluated has not passed: see the evaluation's output"
	case countVerdict(answers, delivery.Failed) > 0:
		res.Outcome = delivery.OutcomeFailed
		res.Cause = "the model is not good enough: " + describe(answers, delivery.Failed)
	}
	return res, nil
}

// withNote adds where the metrics come from, if that is worth a note.
func withNote(text, note string) string {
	if note == "" {
		return text
	}
	return text + "; " + note
}

func countVerdict(answers []delivery.GateResult, v delivery.Verdict) int {
	n := 0
	for _, a := range answers {
		if a.Verdict == v {
			n++
		}
	}
	return n
}

func describe(answers []delivery.GateResult, v delivery.Verdict) string {
	var parts []string
	for _, a := range answers {
		if a.Verdict == v {
			parts = append(parts, fmt.Sprintf("%s (%s)", strings.TrimPrefix(a.Gate, "evaluate: "), a.Evidence))
		}
	}
	return strings.Join(parts, "; ")
}

// unavailableResult is the result of an evaluation without metrics to evaluate.
func unavailableResult(r step.Request, what string, err error) step.Result {
	a := delivery.GateResult{Gate: "evaluate: " + what, Verdict: delivery.Unavailable, Evidence: err.Error()}
	r.ReportGates(a)
	res := step.Fail("investigate: %v", err)
	res.Hint = fault.HintOf(err)
	res.GateResults = []delivery.GateResult{a}
	return res
}

// champion returns the metrics of the deployed release's model; nil if there is
// none.
func (s Step) champion(ctx context.Context, env delivery.Environment) (delivery.Metrics, error) {
	d, ok, err := s.Deployments.Current(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("read the current deployment of %s: %w", env, err)
	}
	if !ok {
		return nil, nil
	}
	rel, err := s.Releases.Get(ctx, d.Release)
	if err != nil {
		return nil, fmt.Errorf("read release %s, which is deployed in %s: %w", d.Release, env, err)
	}
	m := rel.Release.Model
	if m == nil {
		return nil, nil
	}
	v, err := s.Models.Get(ctx, m.Group, m.Version)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of the champion %s: %w", m, err)
	}
	if v.Digest != m.Digest {
		return nil, fault.New(fault.Conflict, "read the metrics of the champion %s: that version is a different model here", m).
			Hint("register models of %s on one machine only", m.Group)
	}
	if v.Metrics == nil {
		v.Metrics = delivery.Metrics{}
	}
	return v.Metrics, nil
}

package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// evaluatedElsewhere is the file with an evaluation on SageMaker; it trains here.
func evaluatedElsewhere(keys string) string {
	const on = `on: {sagemaker: {role: "arn:aws:iam::111122223333:role/evaluation", image: train, instances: [ml.m5.large], bucket: mlops, price: {ml.m5.large: 0.115 USD}}}, `
	text := strings.Replace(file, "evaluate: {run", "evaluate: {"+on+"run", 1)
	text = strings.Replace(text, "train: {run", "train: {"+keys+"run", 1)
	return text + "aws: {account: \"111122223333\", region: ap-southeast-1}\n"
}

// An evaluation elsewhere costs money as training does: a person starts it, and no pull
// request does; what was evaluated before costs nothing.
func TestNew_EvaluateElsewhere(t *testing.T) {
	push, pull := plan.Trigger{Event: plan.PushEvent, Branch: "main"}, plan.Trigger{Event: plan.PullRequestEvent, Branch: "main"}
	retrain := func(t plan.Trigger) plan.Trigger { t.Retrain = true; return t }
	const held = "training inputs changed; not retrained (when: manual)"
	for _, c := range []struct {
		name, keys string
		trigger    plan.Trigger
		cached     []step.Kind
		warning    string // empty: it evaluates
	}{
		{"push", "", push, nil, held},
		{"push, trained before", "", push, []step.Kind{step.Train}, held},
		{"push, trained and evaluated before", "", push, []step.Kind{step.Train, step.Evaluate}, ""},
		{"push, with --retrain", "", retrain(push), nil, ""},
		{"push, when changed", "when: changed, ", push, nil, ""},
		{"pull request, with --retrain", "", retrain(pull), nil, "pull requests do not evaluate on sagemaker"},
		{"pull request, trained before", "", pull, []step.Kind{step.Train}, "pull requests do not evaluate on sagemaker"},
		{"pull request that may", "pull_requests: true, ", retrain(pull), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts()
			f.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 7, Digest: digest}, Status: delivery.Approved}
			f.CachedResult = func(s step.Spec, _ map[string]json.RawMessage) (step.Result, bool) {
				return step.Result{Output: json.RawMessage(`{}`)}, slices.Contains(c.cached, s.Kind)
			}
			p, err := plan.New(project(t, evaluatedElsewhere(c.keys)), c.trigger, f)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Evaluate })
			if (i >= 0) != (c.warning == "") || c.warning != "" && !slices.Contains(p.Warnings, c.warning) {
				t.Fatalf("evaluates: %v, warnings %q, want %q", i >= 0, p.Warnings, c.warning)
			}
			if i < 0 {
				return
			}
			w, err := step.ParamsOf[step.EvaluateParams](p.Steps[i])
			if err != nil || w.On == nil || w.On.Kind != "sagemaker" || !w.On.Remote || w.Box != "" {
				t.Errorf("parameters = %s, error = %v", p.Steps[i].Params, err)
			}
			if e := p.Steps[i].Estimate; e == nil || e.Text != "at most 0.23 USD: ml.m5.large, 0.115 USD/h, 2h limit" {
				t.Errorf("estimate = %+v", e)
			}
		})
	}
}

// The evaluation is part of what the run may cost, and known to the training before it.
func TestNew_CostOfTrainingAndEvaluation(t *testing.T) {
	text := onSageMaker("  budget: {per_run: 0.30 USD}\n")
	const on = `on: {sagemaker: {role: "arn:aws:iam::111122223333:role/evaluation", image: train, instances: [ml.m5.large], bucket: mlops, price: {ml.m5.large: 0.115 USD}}}, `
	p := must(plan.New(project(t, strings.Replace(text, "evaluate: {run", "evaluate: {"+on+"run", 1)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true}, facts()))
	if ahead := trainStep(t, p).Estimate.Ahead; ahead.String() != "0.23 USD" || p.Cost.Estimate.String() != "0.35 USD" || p.Cost.Exceeds == "" {
		t.Errorf("ahead of training: %s, cost = %+v; want 0.23 and 0.35 USD, above the budget", ahead, p.Cost)
	}
}

package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// onSageMaker is the file with training that costs 0.115 USD an hour, for an hour at most.
func onSageMaker(budget string) string {
	const on = `on: {sagemaker: {role: "arn:aws:iam::111122223333:role/training", image: train, instances: [ml.m5.large], bucket: mlops, price: {ml.m5.large: 0.115 USD}}}, `
	text := strings.Replace(file, "train: {run", "train: {"+on+"run", 1)
	return strings.Replace(text, "  group: prices\n", "  group: prices\n"+budget, 1) + "aws: {account: \"111122223333\", region: ap-southeast-1}\n"
}

func trainStep(t *testing.T, p plan.Plan) step.Spec {
	t.Helper()
	i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Train })
	if i < 0 {
		t.Fatalf("the plan does not train: %+v", p.Steps)
	}
	return p.Steps[i]
}

func TestNew_Cost(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	entry := func(at time.Time, amount float64, minutes int) port.JobEntry {
		return port.JobEntry{Run: "x", Step: "train", Begun: at, Outcome: delivery.OutcomeSucceeded, Cost: delivery.JobCost{
			Usage: &delivery.JobUsage{Instance: "ml.m5.large", Count: 1, Billed: delivery.Duration(time.Duration(minutes) * time.Minute)}, Amount: &delivery.Money{Amount: amount, Currency: "USD"},
		}}
	}
	october := now.AddDate(0, -1, 0)
	for _, c := range []struct {
		name, budget string
		jobs         []port.JobEntry
		text         string // of the estimate
		month        string
		exceeds      string
	}{
		{"no budget", "", nil, "at most 0.12 USD: ml.m5.large, 0.115 USD/h, 1h limit", "", ""},
		{"within", "  budget: {per_run: 5 USD, per_month: 50 USD}\n", []port.JobEntry{entry(now, 12.5, 60), entry(october, 30, 60)}, "at most 0.12 USD: ml.m5.large, 0.115 USD/h, 1h limit", "12.50 USD", ""},
		{"median", "  budget: {per_run: 5 USD}\n", []port.JobEntry{entry(now, 1, 12), entry(october, 1, 10), entry(october, 1, 60)}, "about 0.03 USD: ml.m5.large, 0.115 USD/h, the median of 3 earlier jobs is 12m", "1 USD", ""},
		{"above that of a run", "  budget: {per_run: 0.10 USD}\n", nil, "at most 0.12 USD: ml.m5.large, 0.115 USD/h, 1h limit", "0 USD", "the estimate of 0.12 USD is above the budget of 0.10 USD for a run"},
		{"above that of a month", "  budget: {per_month: 50 USD}\n", []port.JobEntry{entry(now, 49.9, 60)}, "at most 0.12 USD: ml.m5.large, 0.115 USD/h, 1h limit", "49.90 USD", "the estimate of 0.12 USD is above the budget of 50 USD for a month, of which 49.90 USD are spent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts()
			f.Now, f.Jobs = now, c.jobs
			p, err := plan.New(project(t, onSageMaker(c.budget)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true}, f)
			if err != nil {
				t.Fatal(err)
			}
			s := trainStep(t, p)
			if s.Estimate == nil || s.Estimate.Text != c.text || p.Cost == nil || p.Cost.Estimate != s.Estimate.Amount || p.Cost.Exceeds != c.exceeds {
				t.Fatalf("estimate = %+v, cost = %+v; want %q, exceeding %q", s.Estimate, p.Cost, c.text, c.exceeds)
			}
			if has := s.Budget != nil && p.Cost.Budget != nil; has != (c.budget != "") || has && p.Cost.Month.String() != c.month {
				t.Errorf("budget = %+v, spent %s; want %s", s.Budget, p.Cost.Month, c.month)
			}
			if want := map[bool]int{true: 2, false: 1}[c.budget != ""]; p.Version != want {
				t.Errorf("version %d, want %d: an older Slipway asks for no budget", p.Version, want)
			}
			warned := slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "wait for an approval, with exit code 4") })
			if warned != (c.exceeds != "") {
				t.Errorf("warnings = %q", p.Warnings)
			}
		})
	}
}

// A plan that does not train costs nothing, and one that trains here has no estimate.
func TestNew_CostOfOthers(t *testing.T) {
	f := facts()
	f.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 7, Digest: digest}, Status: delivery.Approved}
	budget := "  budget: {per_run: 5 USD}\n"
	for name, p := range map[string]plan.Plan{
		"not retrained": must(plan.New(project(t, onSageMaker(budget)), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, f)),
		"until build":   must(plan.New(project(t, onSageMaker(budget)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true, Until: "build"}, f)),
		"here":          must(plan.New(project(t, file), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true}, f)),
	} {
		if p.Cost != nil || slices.ContainsFunc(p.Steps, func(s step.Spec) bool { return s.Budget != nil || s.Estimate != nil }) {
			t.Errorf("%s: cost = %+v, steps = %+v", name, p.Cost, p.Steps)
		}
	}
}

func must(p plan.Plan, err error) plan.Plan {
	if err != nil {
		panic(err)
	}
	return p
}

// No model is trained again because a budget, or what it is estimated to cost, changed.
func TestNew_BudgetIsNotInTheKey(t *testing.T) {
	var keys []delivery.Digest
	for _, budget := range []string{"", "  budget: {per_run: 5 USD}\n", "  budget: {per_run: 6 USD, per_month: 50 USD}\n"} {
		f := facts()
		if budget != "" {
			f.Jobs = []port.JobEntry{{Step: "train", Outcome: delivery.OutcomeSucceeded, Cost: delivery.JobCost{Usage: &delivery.JobUsage{Instance: "ml.m5.large", Billed: 60e9}}}}
			f.Jobs = append(f.Jobs, f.Jobs[0], f.Jobs[0])
		}
		p := must(plan.New(project(t, onSageMaker(budget)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true}, f))
		key, err := step.CacheKey(trainStep(t, p), "", map[string]json.RawMessage{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("keys = %q, want one", keys)
	}
}

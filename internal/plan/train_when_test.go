package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestNew_TrainWhen(t *testing.T) {
	approved := &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 7, Digest: digest}, Status: delivery.Approved}
	const held = "training inputs changed; not retrained (when: manual)"
	cases := []struct {
		name, when  string
		retrain     bool
		trained     bool // from the same inputs
		trains      bool
		warning     string
		refused     string
		notApproved bool
	}{
		{name: "changed", when: "changed", trains: true},
		{name: "default", trains: true},
		{name: "manual", when: "manual", warning: held},
		{name: "manual, with --retrain", when: "manual", retrain: true, trains: true},
		{name: "manual, trained before", when: "manual", trained: true, trains: true},
		{name: "manual, none approved", when: "manual", refused: "model prices has no approved version", notApproved: true},
		{name: "never", when: "never"},
		{name: "never, trained before", when: "never", trained: true},
		{name: "never, with --retrain", when: "never", retrain: true, refused: "model.train.when is never"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := file
			if c.when != "" {
				text = strings.Replace(file, "train: {run", "train: {when: "+c.when+", run", 1)
			}
			f := facts()
			if !c.notApproved {
				f.LatestApproved = approved
			}
			f.CachedResult = func(s step.Spec, _ map[string]json.RawMessage) (step.Result, bool) {
				return step.Result{Output: json.RawMessage(`{}`)}, c.trained && s.Kind == step.Train
			}
			p, err := plan.New(project(t, text), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: c.retrain}, f)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("error = %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			trains := slices.ContainsFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Train })
			if trains != c.trains {
				t.Errorf("the plan trains: %v, want %v", trains, c.trains)
			}
			var want []string
			if c.warning != "" {
				want = []string{c.warning}
			}
			if diff := cmp.Diff(want, p.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Deploy })
			w, err := step.ParamsOf[step.DeployParams](p.Steps[i])
			if err != nil || (w.Model == nil) != c.trains {
				t.Errorf("pinned model = %v, error = %v, want one unless the plan trains", w.Model, err)
			}
		})
	}
}

func TestNew_TrainWhen_OfAnEnvironment(t *testing.T) {
	text := strings.Replace(file, "train: {run", "train: {when: manual, run", 1)
	text = strings.Replace(text, "staging: {on:", "staging: {model: {train: {when: changed}}, on:", 1)
	p, err := plan.New(project(t, text), plan.Trigger{Event: plan.PushEvent, Branch: "develop"}, facts())
	if err != nil || !slices.ContainsFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Train }) {
		t.Errorf("steps = %+v, error = %v, want training", p.Steps, err)
	}
	_, err = plan.New(project(t, text), plan.Trigger{Event: plan.PushEvent, Branch: "main", Until: "train"}, func() plan.Facts {
		f := facts()
		f.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 7}, Status: delivery.Approved}
		return f
	}())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "add --retrain") {
		t.Errorf("error = %v, hint %q, want one that names --retrain", err, fault.HintOf(err))
	}
}

// TestNew_TrainElsewhere: what may cost money is started by a person, and never by a pull
// request.
func TestNew_TrainElsewhere(t *testing.T) {
	approved := &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 7, Digest: digest}, Status: delivery.Approved}
	push, pull := plan.Trigger{Event: plan.PushEvent, Branch: "main"}, plan.Trigger{Event: plan.PullRequestEvent, Branch: "main"}
	retrain := func(t plan.Trigger) plan.Trigger { t.Retrain = true; return t }
	for _, c := range []struct {
		name, keys string
		trigger    plan.Trigger
		warning    string // empty: it trains
	}{
		{"push", "", push, "training inputs changed; not retrained (when: manual)"},
		{"push, with --retrain", "", retrain(push), ""},
		{"push, when changed", "when: changed, ", push, ""},
		{"pull request", "", pull, "pull requests do not train on kubernetes"},
		{"pull request, with --retrain", "", retrain(pull), "pull requests do not train on kubernetes"},
		{"pull request, when changed", "when: changed, ", pull, "pull requests do not train on kubernetes"},
		{"pull request that may, with --retrain", "pull_requests: true, ", retrain(pull), ""},
		{"pull request that may", "pull_requests: true, ", pull, "training inputs changed; not retrained (when: manual)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts()
			f.LatestApproved = approved
			text := strings.Replace(file, "train: {run", "train: {on: {kubernetes: {namespace: training, image: train}}, "+c.keys+"run", 1)
			p, err := plan.New(project(t, text), c.trigger, f)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Train })
			if (i >= 0) != (c.warning == "") || c.warning != "" && !slices.Contains(p.Warnings, c.warning) {
				t.Fatalf("trains: %v, warnings %q, want %q", i >= 0, p.Warnings, c.warning)
			}
			if i < 0 {
				return
			}
			w, err := step.ParamsOf[step.TrainParams](p.Steps[i])
			if err != nil || w.On == nil || w.On.Kind != "kubernetes" || !w.On.Remote || !strings.Contains(string(w.On.Section), `"image":"train"`) || w.Box != "" {
				t.Errorf("parameters = %s, error = %v", p.Steps[i].Params, err)
			}
		})
	}
	p, err := plan.New(project(t, strings.Replace(file, "train: {run", "train: {on: {local: {}}, run", 1)), push, facts())
	if err != nil || slices.ContainsFunc(p.Steps, func(s step.Spec) bool { return strings.Contains(string(s.Params), `"on"`) }) {
		t.Errorf("error = %v; want no runner in the parameters of this machine: cached results would be lost", err)
	}
}

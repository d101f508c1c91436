package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// unchangedFacts are those of a commit whose steps are all cached, and make what is
// deployed.
func unchangedFacts(t *testing.T, text string, trigger plan.Trigger) plan.Facts {
	t.Helper()
	f := serving("cmd/other/main.go")
	f.CachedResult = func(s step.Spec, _ map[string]json.RawMessage) (step.Result, bool) {
		var output any
		switch s.Kind {
		case step.Build:
			b := step.BuildOutput{}
			b.Digest = digest
			output = b
		case step.Train:
			output = step.TrainOutput{Job: "20261123-120000-abcd-train"}
		default:
			output = map[string]string{}
		}
		raw, err := json.Marshal(output)
		if err != nil {
			t.Fatal(err)
		}
		return step.Result{Output: raw, Ended: noon}, true
	}
	first := facts()
	first.CachedResult = f.CachedResult
	deploy := paramsOf[step.DeployParams](t, newPlan(t, project(t, text), trigger, first), step.Deploy)
	f.ServingRelease.Release.Image.Digest = digest
	f.Serving.Inputs = delivery.Inputs{Configuration: deploy.ConfigurationDigest, Policy: deploy.PolicyDigest}
	f.Champion.Lineage.Job = "20261123-120000-abcd-train"
	return f
}

// TestNew_NothingToDo: a run that would deploy what is deployed is skipped, and each
// thing that may differ makes it run.
func TestNew_NothingToDo(t *testing.T) {
	trigger := plan.Trigger{Event: plan.PushEvent, Branch: "main", By: "ann"}
	for _, c := range []struct {
		name   string
		text   string // of slipway.yaml; empty: as it was
		change func(f *plan.Facts, t *plan.Trigger)
		skips  bool
	}{
		{name: "the same", change: func(*plan.Facts, *plan.Trigger) {}, skips: true},
		{name: "another image", change: func(f *plan.Facts, _ *plan.Trigger) {
			f.ServingRelease.Release.Image.Digest = "sha256:" + delivery.Digest(strings.Repeat("9", 64))
		}},
		{name: "another model", change: func(f *plan.Facts, _ *plan.Trigger) { f.Champion.Lineage.Job = "20261122-120000-abcd-train" }},
		{name: "a model of another machine", change: func(f *plan.Facts, _ *plan.Trigger) { f.Champion = nil }},
		{name: "a step that is not cached", change: func(f *plan.Facts, _ *plan.Trigger) {
			cached := f.CachedResult
			f.CachedResult = func(s step.Spec, given map[string]json.RawMessage) (step.Result, bool) {
				r, _ := cached(s, given)
				return r, s.Name != "test.unit"
			}
		}},
		{name: "another configuration", text: strings.Replace(file, "deploy:", "deploy:\n  replicas: 3", 1), change: func(*plan.Facts, *plan.Trigger) {}},
		{name: "an override", text: strings.Replace(file, "approvals: 1, bake: 5m", "approvals: 1, bake: 5m, deploy: {replicas: 3}", 1), change: func(*plan.Facts, *plan.Trigger) {}},
		{name: "another policy", text: strings.Replace(file, "\nmodel:", "\nscan: {}\nmodel:", 1), change: func(*plan.Facts, *plan.Trigger) {}},
		{name: "another bake time only", text: strings.Replace(file, "bake: 5m", "bake: 6m", 1), change: func(*plan.Facts, *plan.Trigger) {}, skips: true},
		{name: "it does not serve", change: func(f *plan.Facts, _ *plan.Trigger) { f.NotServing = true }},
		{name: "what is live differs", change: func(f *plan.Facts, _ *plan.Trigger) {
			f.Drift = []port.Drift{{Kind: "Service", Name: "api", Missing: true}}
		}},
		{name: "another run is in progress", change: func(f *plan.Facts, _ *plan.Trigger) { f.Unfinished = true }},
		{name: "it is quarantined", change: func(f *plan.Facts, _ *plan.Trigger) {
			f.ServingRelease.Quarantined = &delivery.Quarantine{Release: old, Reason: "errors"}
		}},
		{name: "--retrain", change: func(_ *plan.Facts, t *plan.Trigger) { t.Retrain = true }},
		{name: "--until", change: func(_ *plan.Facts, t *plan.Trigger) { t.Until = "build" }},
		{name: "nothing is deployed", change: func(f *plan.Facts, _ *plan.Trigger) { f.Serving, f.ServingRelease = nil, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, asked, text := unchangedFacts(t, file, trigger), trigger, file
			if c.text != "" {
				text = c.text
			}
			c.change(&f, &asked)
			p := newPlan(t, project(t, text), asked, f)
			if skipped := p.Skip != ""; skipped != c.skips || skipped && (len(p.Steps) > 0 || !strings.Contains(p.Skip, string(old))) {
				t.Errorf("skip = %q with %d steps, want it skipped: %v", p.Skip, len(p.Steps), c.skips)
			}
		})
	}
}

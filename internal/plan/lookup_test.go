package plan_test

import (
	"encoding/json"
	"testing"

	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestNew_LooksUpImages: the plan says whether an image is built, or taken from the
// registry, and why.
func TestNew_LooksUpImages(t *testing.T) {
	const (
		dockerfile = "{dockerfile: Dockerfile}"
		golang     = "{go: .}"
		keyless    = "sign: {keyless: true}\n"
		keyed      = "sign: {key: \"${COSIGN_KEY}\"}\n"
		unknown    = "no previous run with these inputs"
	)
	output, err := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: fake.Digest(9)}, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	exists := func(step.Spec) (step.Result, bool) { return step.Result{Output: output}, true }
	missing := func(step.Spec) (step.Result, bool) { return step.Result{}, false }
	for name, c := range map[string]struct {
		build, sign string
		find        func(step.Spec) (step.Result, bool)
		rebuild     bool
		action      step.Action
		reason      string
	}{
		"found":         {build: dockerfile, find: exists, action: step.ActionCached, reason: "built before from the same inputs: sha256:" + fake.Digest(9).Short()},
		"signed by key": {build: dockerfile, sign: keyed, find: exists, action: step.ActionCached, reason: "built before from the same inputs: sha256:" + fake.Digest(9).Short()},
		"keyless":       {build: dockerfile, sign: keyless, find: exists, action: step.ActionRun, reason: unknown},
		"not found":     {build: dockerfile, find: missing, action: step.ActionRun, reason: unknown + ", and no image of these inputs in the registry"},
		"go":            {build: golang, find: exists, action: step.ActionRun, reason: unknown},
		"rebuild":       {build: dockerfile, find: exists, rebuild: true, action: step.ActionRun, reason: "--rebuild"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "version: 1\nservice: api\nimage: {repository: mlops/api, build: " + c.build + "}\n" + c.sign + "environments: {prod: {target: {local: {}}}}\n"
			f := facts()
			f.ExistingResult, f.Changed = c.find, nil
			p, err := plan.New(project(t, text), plan.Trigger{Event: "push", Environment: "prod", By: "tester", Rebuild: c.rebuild, Until: "push"}, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Steps {
				switch s.Kind {
				case step.Build:
					if s.Action != c.action || s.Reason != c.reason || s.SkipCache != c.rebuild {
						t.Errorf("action = %s (%q), skip cache = %v, want %s (%q), %v", s.Action, s.Reason, s.SkipCache, c.action, c.reason, c.rebuild)
					}
				case step.Push:
					if w, err := step.ParamsOf[step.PushParams](s); err != nil || w.Rebuild != c.rebuild || w.TagInputs != (c.build == dockerfile && c.sign != keyless) {
						t.Errorf("push parameters = %+v, error = %v, want rebuild = %v", w, err, c.rebuild)
					}
				default:
				}
			}
		})
	}
}

package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// python is the file with environments: what they are made from counts for the
// steps, though their inputs do not name it.
var python = strings.NewReplacer(
	"run: go vet ./...}", `run: ruff, inputs: ["cmd/**"], python: {requirements: ./go.mod, version: "3.11"}}`,
	`inputs: ["cmd/evaluate/**"]`, `inputs: ["cmd/evaluate/**"], python: {requirements: docs/a.txt}`,
).Replace(file)

func inputsOf(t *testing.T, f plan.Facts, text string) map[string]step.Spec {
	t.Helper()
	p, err := plan.Make(project(t, text), plan.Trigger{Environment: "prod", Event: "push", Branch: "main"}, f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]step.Spec{}
	for _, s := range p.Steps {
		out[s.Name] = s
	}
	return out
}

func TestPythonIsPartOfTheStep(t *testing.T) {
	before := inputsOf(t, facts(), python)
	var w step.TestWith
	if err := json.Unmarshal(before["test.vet"].With, &w); err != nil || w.Python == nil || *w.Python != (step.PythonWith{Requirements: "go.mod", Version: "3.11"}) {
		t.Errorf("%+v, %v", w.Python, err)
	}
	changed := facts()
	for i := range changed.Files {
		if changed.Files[i].Path == "docs/a.txt" || changed.Files[i].Path == "go.mod" {
			changed.Files[i].Blob = blob(9)
		}
	}
	after := inputsOf(t, changed, python)
	for name, same := range map[string]bool{"test.vet": false, "evaluate": false, "train": false, "build": false} {
		if (before[name].Inputs == after[name].Inputs) != same {
			t.Errorf("%s: same inputs = %v", name, !same)
		}
	}
	// Without an environment, nothing is as it was not before.
	if plain := inputsOf(t, facts(), file); strings.Contains(string(plain["test.vet"].With), "python") || plain["test.unit"].Inputs != before["test.unit"].Inputs {
		t.Errorf("a step without an environment has changed: %s", plain["test.vet"].With)
	}
}

func TestPythonOfNoFile(t *testing.T) {
	text := strings.Replace(python, "./go.mod", "go.mood", 1)
	_, err := plan.Make(project(t, text), plan.Trigger{Environment: "prod", Event: "push", Branch: "main"}, facts())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "test[0].python: there is no file go.mood in the commit") || !strings.Contains(fault.HintOf(err), `"go.mod"`) {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

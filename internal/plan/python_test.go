package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
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
	p, err := plan.New(project(t, text), plan.Trigger{Environment: "prod", Event: "push", Branch: "main"}, f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]step.Spec{}
	for _, s := range p.Steps {
		out[s.Name] = s
	}
	return out
}

func TestNew_PythonIsPartOfTheStep(t *testing.T) {
	before := inputsOf(t, facts(), python)
	var w step.TestParams
	if err := json.Unmarshal(before["test.vet"].Params, &w); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(&step.PythonParams{Requirements: "go.mod", Version: "3.11"}, w.Python); diff != "" {
		t.Errorf("python (-want +got):\n%s", diff)
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
	if plain := inputsOf(t, facts(), file); strings.Contains(string(plain["test.vet"].Params), "python") || plain["test.unit"].Inputs != before["test.unit"].Inputs {
		t.Errorf("a step without an environment has changed: %s", plain["test.vet"].Params)
	}
}

// TestNew_PythonIncludesCount: what a requirements file may include counts, too.
func TestNew_PythonIncludesCount(t *testing.T) {
	for _, c := range []struct {
		named, other string
		counts       bool
	}{
		{"requirements-dev.txt", "requirements.txt", true},
		{"requirements-dev.txt", "base.txt", true},
		{"requirements-dev.txt", "deps/base.txt", true},
		{"requirements-dev.txt", "app.py", false},
		{"deps/dev.in", "deps/base.in", true},
		{"deps/dev.in", "deps/inner/pins.txt", true},
		{"deps/dev.txt", "constraints.txt", true},
		{"deps/dev.txt", "other/Requirements.in", true},
		{"deps/dev.txt", "notes.txt", false},
		{"deps/dev.txt", "deps2/notes.txt", false},
		{"uv.lock", "pyproject.toml", true},
		{"svc/uv.lock", "svc/pyproject.toml", true},
		{"svc/uv.lock", "pyproject.toml", false},
		{"uv.lock", "requirements.txt", false},
	} {
		key := "requirements"
		if strings.HasSuffix(c.named, "uv.lock") {
			key = "lock"
		}
		t.Run(c.named+" "+c.other, func(t *testing.T) {
			text := strings.Replace(file, "run: go vet ./...}", fmt.Sprintf(`run: ruff, inputs: ["cmd/**"], python: {%s: %s}}`, key, c.named), 1)
			digests := map[delivery.Digest]bool{}
			for i := range 2 {
				f := facts()
				f.Files = append(f.Files, port.File{Path: c.named, Mode: "100644", Blob: blob(1)}, port.File{Path: c.other, Mode: "100644", Blob: blob(2 + i)})
				digests[inputsOf(t, f, text)["test.vet"].Inputs] = true
			}
			if counts := len(digests) == 2; counts != c.counts {
				t.Errorf("%s counts for %s: %v, want %v", c.other, c.named, counts, c.counts)
			}
		})
	}
}

func TestNew_PythonFileMustExist(t *testing.T) {
	text := strings.Replace(python, "./go.mod", "go.mood", 1)
	_, err := plan.New(project(t, text), plan.Trigger{Environment: "prod", Event: "push", Branch: "main"}, facts())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "test[0].python: file go.mood not found in the commit") || !strings.Contains(fault.HintOf(err), `"go.mod"`) {
		t.Errorf("missing file: %v (%s)", err, fault.HintOf(err))
	}
}

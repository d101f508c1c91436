package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// run --model delivers new code with an approved model, and trains nothing.
func TestRun_Model(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(modelProject)
	p.waitingRun()
	for _, args := range []string{"plan --model prices:1", "run --model prices:1"} {
		got := p.run(strings.Fields(args)...)
		for _, want := range []string{"model prices:1 is not approved (PendingManualApproval)", "slipway approve prices:1"} {
			if got.code != 1 || !strings.Contains(got.stderr, want) {
				t.Errorf("%s: exit code %d, want 1 and %q: %s", args, got.code, want, got.stderr)
			}
		}
	}
	if got := p.run("approve", "prices:1", "--no-wait"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	p.ran = nil
	got := p.run("run", "--model", "prices:1", "--json")
	report := last[app.RunReport](t, got)
	if got.code != 0 || report.Outcome != delivery.OutcomeDeployed {
		t.Errorf("exit code %d, outcome %s: %s", got.code, report.Outcome, got.stderr)
	}
	var names []string
	for _, s := range report.Steps {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"build", "push", "deploy", "verify", "watch"}, names); diff != "" || slices.Contains(p.ran, "train") {
		t.Errorf("steps (-want +got):\n%s\nran %v", diff, p.ran)
	}
	if got := p.run("plan", "--model", "prices:1", "--json"); !strings.Contains(got.stdout, `"model": "prices:1"`) {
		t.Errorf("the plan does not name the model: %s", got.stdout)
	}
}

// writeFiles writes files below the repository.
func (p *program) writeFiles(files map[string]string) {
	p.t.Helper()
	for name, text := range files {
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// models add registers files that exist, once, and run --model delivers them after an
// approval.
func TestModels_Add(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(modelProject)
	p.writeFiles(map[string]string{
		"model.bin": "weights", "scores.json": `{"accuracy": 0.93}`,
		"folder/a.bin": "a", "folder/b/c.bin": "c", "folder/metrics.json": `{"accuracy": 0.94}`,
	})
	args := []string{"models", "add", "prices", "model.bin", "--metrics", "scores.json", "--why", "from research"}
	got := p.run(args...)
	if got.code != 0 || got.stdout != "prices:1 is PendingManualApproval\napprove it with `slipway approve prices:1`\n" {
		t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	again := decode[delivery.ModelVersion](t, p.run(append(args, "--json")...))
	if again.Version != 1 || again.Metrics["accuracy"] != 0.93 || again.Lineage.AddedBy.Name != "ann" || again.Lineage.Why != "from research" {
		t.Errorf("the same files again: %+v, want version 1 with its metrics, added by ann", again)
	}
	folder := decode[delivery.ModelVersion](t, p.run("models", "add", "prices", "folder", "--metrics", filepath.Join(p.dir, "folder", "metrics.json"), "--json"))
	if folder.Version != 2 || folder.Metrics["accuracy"] != 0.94 {
		t.Errorf("a folder: %+v, want version 2 with its metrics", folder)
	}
	if got := p.run("models", "show", "prices:1"); !strings.Contains(got.stdout, "added     by ann: from research") {
		t.Errorf("stdout does not name who added the model:\n%s", got.stdout)
	}
	p.run("approve", "prices:1")
	if got := p.run("run", "--model", "prices:1"); got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if left, err := filepath.Glob(filepath.Join(p.dir, ".slipway", "model-*")); err != nil || len(left) != 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

// TestModels_AddWithMetricsFile adds a model that has a metrics.json of its own.
func TestModels_AddWithMetricsFile(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(modelProject)
	p.writeFiles(map[string]string{"scores.json": `{"accuracy": 0.93}`, "folder/a.bin": "a", "folder/metrics.json": `{"epochs": 3}`})
	if got := p.run("models", "add", "prices", "folder", "--metrics", "scores.json"); got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	all := decode[[]delivery.ModelVersion](t, p.run("models", "--json"))
	if len(all) != 1 || all[0].Metrics["accuracy"] != 0.93 {
		t.Errorf("registered %+v, want one version with the accuracy of --metrics", all)
	}
}

func TestModels_AddRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"another group":       {"fraud model.bin --metrics scores.json", `delivers no models of the group "fraud"`},
		"no such model":       {"prices gone.bin --metrics scores.json", "read the model in "},
		"no such metrics":     {"prices model.bin --metrics gone.json", "read the metrics in "},
		"metrics in a list":   {"prices model.bin --metrics list.json", "are not a JSON object"},
		"no metrics":          {"prices model.bin --metrics null.json", "are not a JSON object"},
		"not a number":        {"prices model.bin --metrics nan.json", "are not a JSON object"},
		"all names taken":     {"prices folder --metrics scores.json", "files named metrics.json, evaluation.json, slipway-metrics.json with other content"},
		"metrics is a folder": {"prices model.bin --metrics folder", "read the metrics in "},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOrderedProgram(t)
			p.useFile(modelProject)
			p.writeFiles(map[string]string{
				"model.bin": "weights", "scores.json": `{"accuracy": 0.93}`, "list.json": `[1]`, "null.json": "null", "nan.json": `{"accuracy": NaN}`,
				"folder/a.bin": "a", "folder/metrics.json": `{"accuracy": 0.94}`, "folder/evaluation.json": "mine", "folder/slipway-metrics.json": "mine",
			})
			got := p.run(append([]string{"models", "add"}, strings.Fields(c.args)...)...)
			if got.code == 0 || !strings.Contains(got.stderr, c.want) {
				t.Errorf("exit code %d, want %q: %s", got.code, c.want, got.stderr)
			}
			if all := decode[[]delivery.ModelVersion](t, p.run("models", "--json")); len(all) != 0 {
				t.Errorf("registered %+v, want nothing", all)
			}
		})
	}
}

// TestPlan_WarnsOfTheEvaluation: a command that names neither model nor data, and no
// gates, are said before the run, and of what is deployed.
func TestPlan_WarnsOfTheEvaluation(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(strings.Replace(modelProject, ", gates: [accuracy > 0]", "", 1))
	got := p.run("plan")
	for _, want := range []string{
		"warning: model.evaluate.run: the metrics may not be about this model: the evaluation names neither {{.Model}} nor {{.Data}}",
		"warning: model.evaluate: no gates: any model passes",
	} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("exit code %d, want %q in:\n%s%s", got.code, want, got.stdout, got.stderr)
		}
	}
	p.run("run")
	p.run("approve", "prices:1")
	if got := p.run("status"); !strings.Contains(got.stdout, "evaluation: the metrics may not be about this model") || !strings.Contains(got.stdout, "evaluation: no gates: any model passes") {
		t.Errorf("the status does not say it:\n%s%s", got.stdout, got.stderr)
	}
}

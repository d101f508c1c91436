package cli_test

import (
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

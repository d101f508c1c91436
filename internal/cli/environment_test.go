package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newStagedProgram returns one whose environment check deploys nothing.
func newStagedProgram(t *testing.T) *program {
	t.Helper()
	p := newProgram(t)
	text := projectFile + "  check: {on: {pull_request: main}, until: build}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "slipway.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// A run in an environment without a target ends after its last step, as succeeded.
func TestRun_WithoutTarget(t *testing.T) {
	p := newStagedProgram(t)
	got := p.run("run", "--env", "check", "--json")
	if report := last[runReport](t, got); got.code != 0 || report.Outcome != "succeeded" || report.Environment != "check" {
		t.Errorf("exit code %d, report %+v\n%s", got.code, report, got.stderr)
	}
	if diff := cmp.Diff([]string{"build"}, p.ran); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// Commands about what is deployed refuse an environment that deploys nothing; those
// about all environments pass over it.
func TestCommands_WithoutTarget(t *testing.T) {
	for _, line := range []string{
		"rollback --env check --why x", "verify --env check", "down --env check", "logs --env check", "run --env check --deploy-only",
	} {
		t.Run(line, func(t *testing.T) {
			got := newStagedProgram(t).run(strings.Fields(line)...)
			if got.code != 2 || !strings.Contains(got.stderr, "environment check deploys nothing: its runs end after build") {
				t.Errorf("exit code %d:\n%s", got.code, got.stderr)
			}
		})
	}
	t.Run("status", func(t *testing.T) {
		got := newStagedProgram(t).run("status")
		if got.code != 0 || !strings.Contains(got.stdout, "check  nothing deployed\n  note       deploys nothing: runs end after build\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("down", func(t *testing.T) {
		if got := newStagedProgram(t).run("down", "--all"); got.code != 0 || strings.Contains(got.stdout, "check") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("up", func(t *testing.T) {
		if got := newStagedProgram(t).run("up"); got.code != 0 {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
}

// In a CI an environment is only entered from the branches of its `on`.
func TestRun_InCI(t *testing.T) {
	github := func(event, branch string) []string {
		return []string{"SLIPWAY_ACTOR=ann", "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=" + event, "GITHUB_REF_NAME=" + branch, "GITHUB_BASE_REF=main"}
	}
	for name, c := range map[string]struct {
		environ []string
		args    string
		denied  string
	}{
		"a feature branch":              {github("workflow_dispatch", "feature"), "--env prod", "environment prod does not accept push to feature from a CI"},
		"a feature branch that lies":    {github("push", "feature"), "--env prod --branch main", "environment prod does not accept push to feature from a CI"},
		"a pull request":                {github("pull_request", "7/merge"), "--env prod", "environment prod does not accept pull requests to main from a CI"},
		"its branch":                    {github("push", "main"), "--env prod", ""},
		"its branch, selected by it":    {github("push", "main"), "", ""},
		"a person on a feature branch":  {nil, "--env prod --branch feature", ""},
		"a dispatch of the main branch": {github("workflow_dispatch", "main"), "--env prod", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"plan", "run"} {
				p := newStagedProgram(t)
				p.environ = c.environ
				got := p.run(append([]string{command}, strings.Fields(c.args)...)...)
				if c.denied == "" && got.code != 0 || c.denied != "" && (got.code == 0 || !strings.Contains(got.stderr, c.denied) || len(p.ran) > 0) {
					t.Errorf("slipway %s: exit code %d, ran %v, want %q\n%s", command, got.code, p.ran, c.denied, got.stderr)
				}
			}
		})
	}
}

package cli_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

func failed(cause string) step.Result {
	return step.Result{Outcome: delivery.OutcomeFailed, Cause: cause, Hint: "look at it"}
}

// runReport is the document that ends `slipway run --json`.
type runReport struct {
	Run, Release, Environment, Outcome, Cause, Hint, URL string

	Steps []struct{ Name, Outcome string }
}

// The exit code follows from the outcome of the run, with --json and without.
func TestRun_ExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		env     string
		results map[step.Kind]step.Result
		code    int
		outcome string
	}{
		"deployed":        {"dev", nil, 0, "deployed"},
		"build failed":    {"dev", map[step.Kind]step.Result{step.Build: failed("syntax error")}, 1, "failed"},
		"rolled back":     {"dev", map[step.Kind]step.Result{step.Verify: failed("500")}, 3, "rolled_back"},
		"rollback failed": {"dev", map[step.Kind]step.Result{step.Deploy: failed("500"), step.Rollback: failed("no route")}, 5, "rollback_failed"},
		"waiting":         {"prod", map[step.Kind]step.Result{step.Approve: {Outcome: delivery.OutcomeWaiting, Cause: "needs 1 approval"}}, 4, "waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t)
			p.results = c.results
			text := p.run("run", "--env", c.env)
			if text.code != c.code || !strings.HasPrefix(text.stdout, c.outcome+"  run ") {
				t.Errorf("exit code %d, want %d\n%s%s", text.code, c.code, text.stdout, text.stderr)
			}
			lines := p.run("run", "--env", c.env, "--json")
			if report := last[runReport](t, lines); lines.code != c.code || report.Outcome != c.outcome || report.Environment != c.env {
				t.Errorf("with --json: exit code %d, want %d; report %+v\n%s", lines.code, c.code, report, lines.stderr)
			}
			if lines.stderr != "" {
				t.Errorf("with --json stderr is %q", lines.stderr)
			}
		})
	}
}

// A failed run prints its cause and a hint to stderr.
func TestRun_Failure(t *testing.T) {
	p := newProgram(t)
	p.results[step.Build] = failed("main.go:3: syntax error")
	got := p.run("run", "--env", "dev")
	for _, want := range []string{"main.go:3: syntax error", "-> look at it"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("stderr does not contain %q:\n%s", want, got.stderr)
		}
	}
}

// Each flag of run and plan has its effect.
func TestRun_Flags(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		env  string
		ran  []string
	}{
		"environment of the branch": {"run --json --branch develop", "dev", []string{"build", "push", "deploy", "verify", "watch"}},
		"environment by name":       {"run --json -e dev --branch main", "dev", []string{"build", "push", "deploy", "verify", "watch"}},
		"until":                     {"run --json --env dev --until build", "dev", []string{"build"}},
		"push event":                {"run --json --event push --branch develop --until build", "dev", []string{"build"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t)
			got := p.run(strings.Fields(c.args)...)
			if report := last[runReport](t, got); report.Environment != c.env || got.code != 0 {
				t.Errorf("exit code %d, report %+v\n%s", got.code, report, got.stderr)
			}
			if diff := cmp.Diff(c.ran, p.ran); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("pull request", func(t *testing.T) {
		if got := newProgram(t).run("run", "--event", "pull_request", "--branch", "main"); got.code != 2 || !strings.Contains(got.stderr, "pull requests to main") {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
	})
	t.Run("retrain", func(t *testing.T) {
		if got := newProgram(t).run("run", "--env", "dev", "--retrain"); got.code != 2 || !strings.Contains(got.stderr, "--retrain") {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
	})
}

func TestPlan_JSON(t *testing.T) {
	p := newProgram(t)
	got := p.run("plan", "--env", "dev", "-o", "json")
	plan := decode[struct {
		Environment string
		Steps       []struct{ Name, Action string }
	}](t, got)
	if got.code != 0 || plan.Environment != "dev" || len(plan.Steps) != 5 || plan.Steps[0].Name != "build" || len(p.ran) != 0 {
		t.Errorf("exit code %d, plan %+v, ran %v", got.code, plan, p.ran)
	}
	text := p.run("plan", "--env", "dev")
	if text.code != 0 || !strings.HasPrefix(text.stdout, "deliver api -> dev  commit ccccccc") || !strings.Contains(text.stdout, "STEP    ACTION") {
		t.Errorf("exit code %d:\n%s", text.code, text.stdout)
	}
}

// A run that has ended cannot be cancelled.
func TestCancel_EndedRun(t *testing.T) {
	p := newProgram(t)
	p.run("run", "--env", "dev", "--until", "build")
	if got := p.run("cancel", "latest"); got.code != 2 || !strings.Contains(got.stderr, "has already ended: succeeded") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// Cancelling a waiting run succeeds with exit code 0.
func TestCancel_WaitingRun(t *testing.T) {
	p := newProgram(t)
	p.results[step.Approve] = step.Result{Outcome: delivery.OutcomeWaiting, Cause: "needs 1 approval"}
	p.run("run", "--env", "prod")
	if got := p.run("cancel", "latest", "--json"); got.code != 0 || last[runReport](t, got).Outcome != "cancelled" {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// --resume continues the given run.
func TestResume_WaitingRun(t *testing.T) {
	p := newProgram(t)
	p.results[step.Approve] = step.Result{Outcome: delivery.OutcomeWaiting, Cause: "needs 1 approval"}
	run := last[runReport](t, p.run("run", "--env", "prod", "--json")).Run
	delete(p.results, step.Approve)
	got := p.run("run", "--resume", run)
	if got.code != 0 || !strings.HasPrefix(got.stdout, "deployed  run "+run+" in prod") || !strings.Contains(got.stdout, "url      http://api.local") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

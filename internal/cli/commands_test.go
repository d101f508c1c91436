package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// With --json, stdout is exactly one JSON document, even if the result is empty.
func TestCommands_JSON(t *testing.T) {
	fresh, used := newProgram(t), newProgram(t)
	if got := used.run("run", "--env", "dev"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, args := range []string{
		"plan --env dev", "doctor --env dev", "status", "status --env dev", "releases", "releases --limit 0", "models", "models --group m", "cleanup --dry-run",
		"cleanup --keep 0 --older 0s --dry-run", "up", "down --env dev", "down --all", "ps", "version", "scan db status", "registry --listen 127.0.0.1:0",
	} {
		t.Run(args, func(t *testing.T) {
			for name, p := range map[string]*program{"fresh": fresh, "used": used} {
				got := p.run(append(strings.Fields(args), "--json")...)
				if got.code != 0 || !json.Valid([]byte(got.stdout)) || got.stderr != "" {
					t.Errorf("%s: exit code %d, stdout %q, stderr %q", name, got.code, got.stdout, got.stderr)
				}
			}
		})
	}
}

// Commands that only read print readable text.
func TestCommands_Text(t *testing.T) {
	p := newProgram(t)
	for args, want := range map[string]string{
		"version":              "slipway 1.2.3 (go",
		"status --env dev":     "dev  nothing deployed\n",
		"releases":             "RELEASE  CREATED  COMMIT  IMAGE  MODEL  STATE\n",
		"doctor --env prod":    "PLACE    CHECK       STATE  SEEN",
		"models":               "MODEL  STATUS  METRICS  DIGEST  BY  WHY\n",
		"ps":                   "no supervisor of the local target runs for you on this machine\n",
		"scan db status":       "no database found in /nowhere\n",
		"scan db import /a.db": "grype database of ",
		"down --env dev":       "dev is down\n",
		"down --all":           "dev is down\nprod is down\n",
		"up":                   "dev  nothing deployed: deploy the commit with `slipway run --env dev`\nprod  nothing deployed: ",
		"cleanup --dry-run":    "would remove the files of 0 runs, 0 folders of content (0.0 MB) and 0 cache entries\n",
		"registry":             "the registry is at 127.0.0.1:5000\n",
	} {
		t.Run(args, func(t *testing.T) {
			if got := p.run(strings.Fields(args)...); got.code != 0 || !strings.HasPrefix(got.stdout, want) || got.stderr != "" {
				t.Errorf("exit code %d, stdout %q, want %q; stderr %q", got.code, got.stdout, want, got.stderr)
			}
		})
	}
}

func TestInit_WritesFile(t *testing.T) {
	p := newProgram(t)
	file := filepath.Join(p.dir, "slipway.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.run("init", "--force", "--json"); got.code != 0 || decode[struct{ File string }](t, got).File != file {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) == string(before) {
		t.Errorf("%s is as before, or gone: %v", file, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := p.run("init"); got.code != 0 || !strings.HasPrefix(got.stdout, "wrote "+file) {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// init plans what it wrote, and says what is missing for a run.
func TestInit_PlansWhatItWrote(t *testing.T) {
	type document struct {
		Found   []struct{ Key, Value, Source string }
		Missing []string
		Planned string
		Steps   int
		Flaws   []struct{ Rule, At, What, Instead string }
	}
	p := newProgram(t)
	p.write("Dockerfile", "FROM python\nEXPOSE 8000\nCMD [\"uvicorn\", \"main:app\"]\n")
	p.write("main.py", "@app.get('/healthz')\ndef health(): ...\n")
	p.write(".github/workflows/ci.yml", "on: push\npermissions: {}\njobs: {a: {steps: [{run: pytest || true}]}}\n")
	got := decode[document](t, p.run("init", "--force", "--from", ".github/workflows/ci.yml", "--json"))
	if len(got.Found) < 3 || got.Found[0].Source == "" || len(got.Flaws) != 1 || got.Flaws[0].At != ".github/workflows/ci.yml:3" {
		t.Errorf("init = %+v, want the Dockerfile, the health route and one flaw", got)
	}
	if got.Planned == "" && len(got.Missing) == 0 || got.Planned != "" && got.Steps == 0 {
		t.Errorf("init = %+v, want a plan, or what is missing for it", got)
	}
	text := p.run("init", "--force", "--from", ".github/workflows/ci.yml")
	for _, want := range []string{"image.build.dockerfile", "main.py:1", "flaws of .github/workflows/ci.yml", "swallowed-failure", "instead: ", "next: "} {
		if text.code != 0 || !strings.Contains(text.stdout, want) {
			t.Errorf("exit code %d, stdout does not contain %q:\n%s", text.code, want, text.stdout)
		}
	}
}

// Several services are listed with the command for each, and nothing is written.
func TestInit_ListsServices(t *testing.T) {
	p := newProgram(t)
	for _, name := range []string{"pricing", "ranking"} {
		p.write(name+"/Dockerfile", "FROM python\nCMD [\"uvicorn\", \"main:app\"]\n")
	}
	for _, args := range [][]string{{"init", "--force"}, {"init", "--force", "--json"}} {
		got := p.run(args...)
		if got.code != 2 || !strings.Contains(got.stdout, "(cd pricing && slipway init)") || !strings.Contains(got.stdout, "(cd ranking && slipway init)") {
			t.Errorf("exit code %d, want 2 and two commands:\n%s%s", got.code, got.stdout, got.stderr)
		}
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "slipway.yaml")); err != nil || string(text) != projectFile {
		t.Errorf("slipway.yaml was changed (%v):\n%s", err, text)
	}
}

func TestKeysGenerate_WritesPair(t *testing.T) {
	p := newProgram(t)
	dir := filepath.Join(t.TempDir(), "keys")
	got := p.run("keys", "generate", "--dir", dir, "--json")
	pair := decode[struct{ Private, Public string }](t, got)
	if got.code != 0 || pair.Private != filepath.Join(dir, "cosign.key") || pair.Public != filepath.Join(p.dir, "cosign.pub") {
		t.Errorf("exit code %d, %+v\n%s", got.code, pair, got.stderr)
	}
	if again := p.run("keys", "generate", "--dir", dir); again.code != 2 || !strings.Contains(again.stderr, "already exists") {
		t.Errorf("again: exit code %d: %s", again.code, again.stderr)
	}
}

// approve and reject record their decision, and exit with its code.
func TestApprove_Decisions(t *testing.T) {
	waiting := step.Result{Outcome: delivery.OutcomeWaiting, Cause: "needs 1 approval"}
	for name, c := range map[string]struct {
		args   string
		after  step.Result // of the approve step, once it was decided
		code   int
		stdout string
	}{
		"approve":             {"approve latest --why fine --by ben", step.Result{Outcome: delivery.OutcomeSucceeded}, 0, "deployed  run "},
		"approve, no wait":    {"approve latest --no-wait", waiting, 0, "continue the run with `slipway run --resume "},
		"approve, of several": {"approve latest", waiting, 4, "waiting  run "},
		"reject":              {"reject latest --why wrong", failed("rejected by ann: wrong"), 0, "failed  run "},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t)
			p.results[step.Approve] = waiting
			if got := p.run("run", "--env", "prod"); got.code != 4 {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			p.results[step.Approve] = c.after
			got := p.run(strings.Fields(c.args)...)
			if got.code != c.code || !strings.HasPrefix(got.stdout, c.stdout) {
				t.Errorf("exit code %d, want %d\n%s%s", got.code, c.code, got.stdout, got.stderr)
			}
		})
	}
	t.Run("nothing waits", func(t *testing.T) {
		p := newProgram(t)
		p.run("run", "--env", "dev", "--until", "build")
		if got := p.run("approve", "latest"); got.code != 2 || !strings.Contains(got.stderr, "is not waiting for an approval") {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
	})
}

// logs prints the output of all steps of a run, or of one.
func TestLogs_RunAndStep(t *testing.T) {
	p := newProgram(t)
	p.run("run", "--env", "dev", "--until", "build")
	if got := p.run("logs", "latest"); got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if got := p.run("logs", "latest", "train"); got.code != 2 || !strings.Contains(got.stderr, `has no step "train"`) {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if got := p.run("logs", "--env", "dev"); got.code != 1 || !strings.Contains(got.stderr, "does not provide logs") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// cleanup removes files of old runs and cache entries, and keeps the records.
func TestCleanup_Removes(t *testing.T) {
	type document struct {
		Runs         []string
		CacheEntries int  `json:"cache_entries"`
		DryRun       bool `json:"dry_run"`
	}
	p := newProgram(t)
	p.run("run", "--env", "dev", "--until", "build")
	args := []string{"cleanup", "--keep", "0", "--older", "0s", "--json"}
	if got := decode[document](t, p.run(append(args, "--dry-run")...)); len(got.Runs) != 1 || got.CacheEntries != 1 || !got.DryRun {
		t.Errorf("dry run = %+v, want one run, one cache entry and dry_run", got)
	}
	if got := decode[document](t, p.run(args...)); len(got.Runs) != 1 || got.CacheEntries != 1 || got.DryRun {
		t.Errorf("cleanup = %+v, want one run and one cache entry", got)
	}
	p.ran = nil
	if p.run("run", "--env", "dev", "--until", "build"); len(p.ran) != 1 {
		t.Errorf("ran %v, want the build again: its result is no longer cached", p.ran)
	}
}

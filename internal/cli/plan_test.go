package cli_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

const brokenProject = `version: 1
service: api
test:
  - {name: unit, run: "python -u tests/run_test.py --fast", env: {TOKEN: "${API_TOKEN}"}}
  - {name: lint, run: "ruff check ."}
  - {name: made, run: "make gen && python generated.py"}
image: {build: {dockerfile: server/Dockerfile}, repository: api}
environments:
  prod: {on: {push: main}, target: {local: {}}}
notify: [{webhook: "${HOOK_URL}"}]
`

type planDocument struct {
	Environment string
	Steps       []struct{ Name, Action string }
	Problems    []struct{ Kind, Text, Hint string }
}

// A plan lists all that is known to make the run fail, beside what it would do.
func TestPlan_Problems(t *testing.T) {
	p := newProgram(t)
	p.useFile(brokenProject)
	p.files = []string{"Dockerfile", "tests/test_run.py", "tests/run_tests.py", "Makefile"}
	p.dirty = true
	p.buildkit = fault.New(fault.Unavailable, "find a BuildKit").Hint("install buildkitd, or start Docker")
	got := p.run("plan", "--env", "prod", "--json")
	doc := decode[planDocument](t, got)
	var texts []string
	for _, problem := range doc.Problems {
		texts = append(texts, problem.Text+" -> "+problem.Hint)
	}
	want := []string{
		"the working tree differs from the commit: main.go -> commit the changes, or deploy them uncommitted with --allow-dirty",
		"slipway.yaml: image.build.dockerfile: file server/Dockerfile not found in the commit -> did you mean Dockerfile? New files must be committed",
		"slipway.yaml: test unit: file tests/run_test.py not found in the commit -> did you mean tests/run_tests.py? New files must be committed",
		"slipway.yaml: test.unit: the environment variable API_TOKEN is not set -> set the variable where slipway runs; in a CI, as a secret of the job",
		"slipway.yaml: notify: the environment variable HOOK_URL is not set -> set the variable where slipway runs; in a CI, as a secret of the job",
		"find a BuildKit -> install buildkitd, or start Docker",
	}
	if diff := cmp.Diff(want, texts); diff != "" || got.code != 2 || len(doc.Steps) == 0 {
		t.Errorf("exit code %d, want 2; %d steps; problems (-want +got):\n%s", got.code, len(doc.Steps), diff)
	}
	text := p.run("plan", "--env", "prod")
	golden(t, "plan/problems.txt", text.stdout+text.stderr)
	if text.code != 2 || !strings.HasPrefix(text.stderr, "slipway: 6 problems: a run would fail\n") || !strings.Contains(text.stdout, "STEP ") {
		t.Errorf("exit code %d:\n%s%s", text.code, text.stdout, text.stderr)
	}
	if len(p.ran) > 0 {
		t.Errorf("ran %v", p.ran)
	}
}

// What can't be planned is one problem among the others, or the error if it is alone.
func TestPlan_Unplannable(t *testing.T) {
	p := newProgram(t)
	p.useFile(strings.Replace(brokenProject, "lint, ", `lint, inputs: ["src/**"], `, 1))
	p.files = []string{"Dockerfile"}
	got := p.run("plan", "--env", "prod")
	for _, want := range []string{`"src/**" matches no file`, "server/Dockerfile", "HOOK_URL"} {
		if got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("exit code %d, stderr lacks %q:\n%s", got.code, want, got.stderr)
		}
	}
	alone := newProgram(t)
	alone.useFile(strings.Replace(projectFile, "build: {go: .}", `build: {go: ., inputs: ["src/**"]}`, 1))
	if got := alone.run("plan", "--env", "dev"); got.code != 2 || !strings.HasPrefix(got.stderr, "slipway: slipway.yaml: image.build.inputs: \"src/**\" matches no file") {
		t.Errorf("exit code %d:\n%s", got.code, got.stderr)
	}
}

// What would be made again although it is quarantined is a problem.
func TestPlan_Quarantine(t *testing.T) {
	p := newProgram(t)
	digest := delivery.DigestOf([]byte("image"))
	p.results[step.Build] = step.Result{Outcome: delivery.OutcomeSucceeded, Output: []byte(fmt.Sprintf(`{"digest":%q}`, digest))}
	if got := p.run("run", "--env", "dev", "--until", "build"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, c := range []struct {
		image delivery.Digest
		code  int
	}{{delivery.DigestOf([]byte("another")), 0}, {digest, 2}} {
		if got := p.run("releases", "quarantine", "--image", string(c.image), "--why", "CVE-2026-1"); got.code != 0 {
			t.Fatal(got.stderr)
		}
		got := p.run("plan", "--env", "dev")
		if got.code != c.code || (c.code == 2) != strings.Contains(got.stderr, "quarantined as image "+digest.Short()) {
			t.Errorf("exit code %d, want %d:\n%s%s", got.code, c.code, got.stdout, got.stderr)
		}
		if c.code == 2 && !strings.Contains(got.stderr, "CVE-2026-1") {
			t.Errorf("stderr lacks the reason:\n%s", got.stderr)
		}
	}
}

// A plan leaves the folder as it is, also the first one.
func TestPlan_WritesNothing(t *testing.T) {
	list := func(dir string) map[string]string {
		out := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if out[path] = "folder"; d.IsDir() {
				return nil
			}
			content, err := os.ReadFile(path)
			out[path] = fmt.Sprintf("%d bytes, %s", len(content), delivery.DigestOf(content).Short())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p := newProgram(t)
	t.Setenv("TMPDIR", t.TempDir())
	for _, when := range []string{"before the first run", "after it"} {
		before := list(p.dir)
		if got := p.run("plan", "--env", "dev"); got.code != 0 {
			t.Fatal(got.stderr)
		}
		if diff := cmp.Diff(before, list(p.dir)); diff != "" {
			t.Errorf("%s: files (-before +after):\n%s", when, diff)
		}
		if got := p.run("run", "--env", "dev", "--until", "build"); got.code != 0 {
			t.Fatal(got.stderr)
		}
	}
}

//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
)

var updateFailures = flag.Bool("update-failures", false, "write testdata/failures")

// failingFile is the project of the service that fails. CASE makes each case a release
// that is not quarantined.
const failingFile = `version: 1
service: failing
image: {build: {go: .}, repository: failing}
deploy: {env: {E2E_BASE: $BASE, CASE: "NAME", MODE: good}, within: 3s, healthy: 1}
environments:
  prod: {on: {push: main}, target: {local: {}}}
`

// failureCase is something that goes wrong, and what it takes.
type failureCase struct {
	name  string
	exit  int
	edits []string          // of failingFile: old text, new text, and so on
	files map[string]string // written besides
	args  []string          // default: run --env prod
	root  bool              // only root can make it fail
	late  string            // a step beside the one that fails, which may have begun by then
}

const trainedModel = `environments:
model:
  group: prices
  train: {run: "echo 1 > {{.Output}}/weights"}
  evaluate: {run: "cp metrics.json {{.Metrics}}; test -d {{.Model}}", gates: ["accuracy >= 0.8"]}
  approve: auto
`

func withModel(more ...string) []string {
	text := strings.TrimPrefix(trainedModel, "environments:\n")
	for i := 0; i < len(more); i += 2 {
		text = strings.Replace(text, more[i], more[i+1], 1)
	}
	return []string{"deploy:", text + "deploy:"}
}

func failureCases() []failureCase {
	metrics := map[string]string{"metrics.json": `{"accuracy": 0.5, "rows": 10}`}
	return []failureCase{
		{name: "test", exit: 1, edits: []string{"deploy:", "test: [{name: unit, run: \"echo collected 2 items; echo 'FAILED test_add: assert 3 == 4'; exit 1\"}]\ndeploy:"}},
		{name: "build", exit: 1, files: map[string]string{"broken.go": "package main\n\nfunc broken() { undefined() }\n"}},
		{name: "training", exit: 1, edits: withModel(`echo 1 > {{.Output}}/weights`, `echo epoch 1; echo 'ValueError: no rows' >&2; exit 2`), files: metrics, late: "push"},
		{name: "gate", exit: 1, edits: withModel(), files: metrics, late: "push"},
		{name: "gate-unavailable", exit: 1, edits: withModel("accuracy >= 0.8", "f1 >= 0.8"), files: metrics, late: "push"},
		{name: "scan", exit: 1, edits: []string{"deploy:", "scan: {fail_on: [CRITICAL]}\ndeploy:"}},
		{name: "crash", exit: 3, edits: []string{"MODE: good", "MODE: crash"}},
		{name: "quarantined", exit: 1, edits: []string{"MODE: good", "MODE: crash", "quarantined", "crash"}},
		{name: "memory", exit: 3, root: true, edits: []string{"MODE: good", "MODE: memory", "healthy", "memory: 64Mi, healthy"}},
		{name: "unhealthy", exit: 3, edits: []string{"MODE: good", "MODE: unhealthy"}},
		{name: "unhealthy-but-ready", exit: 3, edits: []string{"MODE: good", "MODE: unhealthy", "healthy: 1", "ready: /ready, healthy: 1"}},
		{name: "wrong-port", exit: 3, edits: []string{"MODE: good", "MODE: wrong port", "within: 3s", "within: 10s"}},
		{name: "smoke", exit: 3, edits: []string{"healthy", `smoke: [{name: predict, post: /predict, json: {spend: 1}, expect: ["body.class == 'LA'"]}], healthy`}},
		{name: "model-not-opened", exit: 3, edits: append(withModel(), "healthy", "smoke: {model_opened: true}, healthy"), files: map[string]string{"metrics.json": `{"accuracy": 0.9, "rows": 10}`}},
		{name: "bake", exit: 3, edits: []string{"healthy", "watch: {no_traffic: fail}, healthy", "target:", "bake: 1s, target:"}},
		{name: "variable", exit: 1, edits: []string{"healthy", `smoke: [{name: predict, post: /predict, headers: {X-Key: "${UNSET_KEY}"}}], healthy`}},
		{name: "registry-away", exit: 1, edits: []string{"repository: failing", "repository: 127.0.0.1:1/failing"}},
		{name: "model-not-approved", exit: 2, edits: withModel(), files: metrics, args: []string{"run", "--env", "prod", "--model", "prices:7"}},
		{name: "unknown-environment", exit: 2, args: []string{"run", "--env", "prd"}},
		{name: "invalid-file", exit: 2, edits: []string{"deploy:", "deploi:"}},
		{name: "unknown-run", exit: 2, args: []string{"approve", "20261129-000000-aaaa"}},
	}
}

// TestFailures_Screens shows what people see when something goes wrong that often does:
// each thing once, and what to do. Read a changed file aloud before it is committed.
func TestFailures_Screens(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.must(os.CopyFS(p.dir, os.DirFS("testdata/failing")))
	p.git("init", "-q", "-b", "main")
	p.plantVulnerability(testdb.Vulnerability{Ecosystem: "go-module", Package: "stdlib"})
	p.prepareFailure(failureCase{name: "good"})
	p.slipway("run", "--env", "prod").wantExit(0)
	for _, c := range failureCases() {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Getuid() != 0 {
				t.Skip("limits need root here")
			}
			p.prepareFailure(c)
			args := c.args
			if args == nil {
				args = []string{"run", "--env", "prod"}
			}
			r := p.slipway(args...)
			for name := range c.files {
				p.must(os.Remove(filepath.Join(p.dir, name)))
			}
			if r.code != c.exit {
				t.Errorf("exit code %d, want %d", r.code, c.exit)
			}
			got := fmt.Sprintf("$ slipway %s\n%s%s[exit %d]\n", strings.Join(args, " "), p.failureScreen(r.stderr), p.failureScreen(r.stdout), r.code)
			if c.late != "" {
				got = regexp.MustCompile(`(?m)^(– not run .*)\b`+c.late+`, `).ReplaceAllString(got, "$1")
			}
			file := filepath.Join("testdata", "failures", c.name+".txt")
			if *updateFailures {
				p.must(os.WriteFile(file, []byte(got), 0o644))
			}
			if diff := cmp.Diff(p.read(file), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func (p *project) prepareFailure(c failureCase) {
	p.t.Helper()
	text := strings.NewReplacer("$BASE", p.base, "NAME", c.name).Replace(failingFile)
	for i := 0; i < len(c.edits); i += 2 {
		if !strings.Contains(text, c.edits[i]) {
			p.t.Fatalf("%s: %q not found in\n%s", c.name, c.edits[i], text)
		}
		text = strings.Replace(text, c.edits[i], c.edits[i+1], 1)
	}
	p.write("slipway.yaml", text)
	for name, content := range c.files {
		p.write(name, content)
	}
	p.commit(c.name)
}

// unsteady are the parts of a screen that differ each time.
var unsteady = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`(?m)^(✔ \S|■| +\S+ +started$|image +\S+@).*\n`), ""}, // what runs beside it ends in any order
	{regexp.MustCompile(`\b\d{8}-\d{6}-[a-z0-9]{4}\b`), "RUN"},
	{regexp.MustCompile(`\br-[0-9a-f]{12}\b`), "r-RELEASE"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "SHORT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d( UTC)?`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d\b`), "DATE"},
	{regexp.MustCompile(`on port \d+`), "on port PORT"},
	{regexp.MustCompile(`\(\d+\.\d+s\)`), "(Ns)"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{3,5}`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`listens on \d+`), "listens on PORT1"},
	{regexp.MustCompile(`PORT is \d+`), "PORT is PORT2"},
	{regexp.MustCompile(`deploy\.port: \d+`), "deploy.port: PORT1"},
	{regexp.MustCompile(` +\d+\.\d+s\b`), " Ns"},
	{regexp.MustCompile(`slowest [0-9.]+(ms|µs|s)`), "slowest N"},
	{regexp.MustCompile(`\d+ requests\)`), "N requests)"},
	{regexp.MustCompile(`go1\.[0-9.]+`), "goVERSION"},
}

func (p *project) failureScreen(text string) string {
	text = strings.ReplaceAll(text, p.base, "BASE")
	for _, u := range unsteady {
		text = u.pattern.ReplaceAllString(text, u.text)
	}
	return text
}

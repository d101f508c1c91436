package catalog_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestDefault_IsConsistent(t *testing.T) {
	if err := catalog.Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefault_RefusesUnknownKinds(t *testing.T) {
	kinds := catalog.Default()
	_, target := kinds.Target("kubernets")
	_, notifier := kinds.Notifier("pigeon")
	_, builder := kinds.Builder("")
	_, scanner := kinds.Scanner("clair")
	_, registry := kinds.ModelRegistry("vertex")
	_, runner := kinds.JobRunner("slurm")
	for name, c := range map[string]struct {
		err  error
		hint string
	}{
		"target":         {target, `did you mean "kubernetes"?`},
		"notifier":       {notifier, "available: chat, eventbridge, sns, webhook"},
		"builder":        {builder, "available: dockerfile, go"},
		"scanner":        {scanner, "available: ecr, grype, trivy"},
		"model registry": {registry, "available: embedded, mlflow, sagemaker"},
		"job runner":     {runner, "available: kubernetes, local, sagemaker"},
	} {
		t.Run(name, func(t *testing.T) {
			if !fault.Is(c.err, fault.Invalid) || !strings.Contains(c.err.Error(), "unknown kind of "+name) {
				t.Errorf("got %v", c.err)
			}
			if diff := cmp.Diff(c.hint, fault.HintOf(c.err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
}

const extended = `
version: 1
service: shop
image: {build: {go: .}, repository: shop}
deploy: {manifests: [k8s/]}
drift: {limit: 0.2}
environments:
  prod: {target: {shelf: {board: 3, room: cellar}}, approvals: 1}
notify:
  - {pager: +1-555-0100, token: "${TOKEN}"}
`

// TestExtension_CostsOneFolderAndOneLine keeps the promise of
// docs/adding-an-adapter.md and docs/adding-a-step.md: in a copy of the
// repository it adds a notifier, a target and a step, one folder and one line of
// the list each (and its import), and builds and plans with them.
func TestExtension_CostsOneFolderAndOneLine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	repo := copyRepository(t)
	for folder, to := range map[string]string{
		"pager": "internal/adapter/pager", "shelf": "internal/adapter/shelf", "drift": "internal/step/drift", "main": "cmd/extended",
	} {
		copyTree(t, filepath.Join("testdata/extend", folder), filepath.Join(repo, to))
	}
	addToList(t, repo, "[]extension.Notifier{", "pager.Extension(),", "internal/adapter/pager")
	addToList(t, repo, "[]extension.Target{", "shelf.Extension(),", "internal/adapter/shelf")
	addToList(t, repo, "[]extension.Step{", "drift.Extension(),", "internal/step/drift")

	runGo(t, repo, "test", "-run", "^TestImports$", "./internal/arch")
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, []byte(extended), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := runGo(t, repo, "run", "./cmd/extended", file, t.TempDir(),
		"{pagr: x}", "{pager: x, token: \"${TOKEN}\"}", "{pager: +1}", "{pager: +1, token: \"${TOKEN}\", chat: \"${TOKEN}\"}", "{webhook: \"${TOKEN}\", urgency: low}")
	var out struct {
		Plan struct {
			Steps []struct {
				Name  string          `json:"name"`
				Needs []string        `json:"needs"`
				With  json.RawMessage `json:"with"`
			} `json:"steps"`
		} `json:"plan"`
		Schema, Notifier string
		HasStep          bool `json:"has_step"`
		HasTarget        bool `json:"has_target"`
		Mistakes         []string
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if !out.HasStep || !out.HasTarget {
		t.Errorf("the program has the step: %v, and the target: %v", out.HasStep, out.HasTarget)
	}
	if out.Notifier != "pager +1-555-0100" {
		t.Errorf("notifier %q", out.Notifier)
	}
	for _, def := range []string{`"pager"`, `"Shelf"`, `"StepDrift"`} {
		if !strings.Contains(out.Schema, def) {
			t.Errorf("the schema lacks %s", def)
		}
	}
	var order []string
	for _, s := range out.Plan.Steps {
		order = append(order, s.Name)
		switch s.Name {
		case "drift":
			if diff := cmp.Diff(`{"limit":0.2}`, string(s.With)); diff != "" {
				t.Errorf("drift's parameters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"push", "approve"}, s.Needs); diff != "" {
				t.Errorf("drift's needs (-want +got):\n%s", diff)
			}
		case "deploy":
			if want := `"target":"shelf","place":{"board":3,"room":"cellar"}`; !strings.Contains(string(s.With), want) {
				t.Errorf("deploy's parameters %s lack %s", s.With, want)
			}
			if !strings.Contains(string(s.With), `"manifests":["k8s/"]`) {
				t.Errorf("deploy's parameters %s lack the manifests", s.With)
			}
		}
	}
	if diff := cmp.Diff([]string{"build", "push", "approve", "drift", "deploy", "verify", "watch"}, order); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for i, want := range []string{
		`notify[0]: unknown key "pagr"`,
		`notify[0].pager: invalid number "x"`,
		`notify[0]: missing key "token"`,
		"notify[0]: set exactly one of pager, webhook, chat, sns or eventbridge",
		"notify[0].urgency: only valid with pager",
	} {
		if i >= len(out.Mistakes) || !strings.Contains(out.Mistakes[i], want) {
			t.Errorf("mistake %d of %q, want %q", i, out.Mistakes, want)
		}
	}
}

// copyRepository copies what the program is built from.
func copyRepository(t *testing.T) string {
	t.Helper()
	root, to := "../..", t.TempDir()
	for _, dir := range []string{"internal", "third_party"} {
		copyTree(t, filepath.Join(root, dir), filepath.Join(to, dir))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, file), filepath.Join(to, file))
	}
	return to
}

// copyTree copies sources; of tests only those of the import rules.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" && path != from {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "internal/arch") {
			return err
		}
		copyFile(t, path, filepath.Join(to, rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// addToList adds one line after another one of the list, and the import.
func addToList(t *testing.T, repo, after, line, pkg string) {
	t.Helper()
	file := filepath.Join(repo, "internal/catalog/list.go")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(content), after, after+"\n\t\t\t"+line, 1)
	text = strings.Replace(text, "import (", "import (\n\t\"github.com/slipway-cd/slipway/"+pkg+"\"", 1)
	if strings.Count(text, line) != 1 || strings.Count(text, pkg+`"`) != 1 {
		t.Fatalf("%s was not added to %s", line, file)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func runGo(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TOKEN=secret", "GOFLAGS=-mod=mod", "GOPROXY=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

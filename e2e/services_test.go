//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/e2e/base"
	"github.com/slipway-cd/slipway/e2e/builder"
)

// Takes services as people have them to verified production: a port that is fixed, a
// health route that names no release, no contract with Slipway at all. Only slipway.yaml
// is added, and nothing is fetched.
func TestServices_AsTheyAre(t *testing.T) {
	t.Parallel()
	tools := builder.Require(t)
	if out, err := exec.Command("python3", "--version").CombinedOutput(); err != nil {
		t.Skipf("Python not found: %v %s", err, out)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	img, err := base.Builder{Dir: filepath.Join(root, "bin", "base"), Log: os.Stderr}.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if img, err = base.Slim(img); err != nil {
		t.Fatal(err)
	}
	mirror := newTinyProject(t)
	address := mirror.startMirror()
	if _, err := base.Push(t.Context(), img, address, registryToken); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		found   []string // in the file
		approve bool
		path    string
		body    string
		want    string // in the response
	}{
		{"workshop", []string{"dockerfile: server/Dockerfile, context: server", "port: 8000", "metrics: model_metrics.json", "python3 -m unittest discover -s tests"},
			true, "/predict", `{"SPEND": 12.5, "QUANTITY": 1}`, `"prediction": "medium"`},
		{"serving", []string{"dockerfile: Dockerfile", "port: 8000", "health: /health", "python3 -m unittest discover -s tests -t ."},
			false, "/predict", `{"features": [1, 2, 6]}`, `"prediction": 3.0`},
		{"diabetes", []string{"dockerfile: Dockerfile", "port: 8000 # main.py", "health: / # main.py", "train.py trains, but"},
			false, "/diabetes_prediction", `{"Pregnancies": 2, "Glucose": 155}`, `"diabetic": true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProject(t)
			p.env = append(p.env, "SLIPWAY_BUILDKITD="+tools.Daemon, "SLIPWAY_MIRRORS=docker.io=http://"+address,
				"DOCKER_HOST=unix://"+p.base+"/no-docker.sock", "DOCKER_CONFIG="+p.base)
			p.must(os.CopyFS(p.dir, os.DirFS(filepath.Join("testdata", "services", c.name))))
			p.git("init", "-q", "-b", "main")
			p.commit("as it is")
			p.initService(c.found...)

			run := p.run()
			if c.approve {
				run.wantRun(4, "waiting")
				run = p.slipway("approve", "latest", "--why", "looked at it", "--json")
			}
			run.wantRun(0, "deployed")
			st := p.status("prod")
			if st.Release != run.report.Release || st.Health != "healthy" {
				t.Fatalf("status = %+v, want %s, healthy", st, run.report.Release)
			}
			if got := post(t, st.URL+c.path, c.body); !strings.Contains(got, c.want) {
				t.Errorf("POST %s returned %s, want %s", c.path, got, c.want)
			}
			p.slipway("verify", "--env", "prod", "--json").wantExit(0).wantText("identity by socket")
			p.checkEject(st, c.approve)
			p.slipway("down", "--all").wantExit(0)
		})
	}
}

// initService writes the file, checks that nothing else changed, and commits it with what
// the test needs: no fixed stable port, no bake time, and replicas that are found in
// process lists.
func (p *project) initService(found ...string) {
	p.t.Helper()
	var out struct {
		Missing []string
		Planned string
		Steps   int
	}
	p.must(json.Unmarshal([]byte(p.slipway("init", "--json").wantExit(0).stdout), &out))
	if len(out.Missing) > 0 || out.Planned != "prod" || out.Steps == 0 {
		p.t.Fatalf("init = %+v, want a plan for prod and nothing missing", out)
	}
	if got := p.git("status", "--porcelain"); got != "?? slipway.yaml" {
		p.t.Errorf("git status after init = %q, want only slipway.yaml", got)
	}
	file := p.read(filepath.Join(p.dir, "slipway.yaml"))
	for _, want := range found {
		if !strings.Contains(file, want) {
			p.t.Errorf("slipway.yaml does not contain %q:\n%s", want, file)
		}
	}
	p.edit("slipway.yaml", "target: {local: {port: 18080}}, bake: 30s", "target: {local: {}}")
	p.edit("slipway.yaml", "\ndeploy:\n", fmt.Sprintf("\ndeploy:\n  env: {E2E_BASE: %s}\n", p.base))
	p.commit("Slipway")
}

// checkEject checks that what is deployed leaves Slipway whole: the image by its digest,
// the model's files, and how they run.
func (p *project) checkEject(st status, model bool) {
	p.t.Helper()
	dir := filepath.Join(p.base, "ejected")
	p.slipway("eject", "--env", "prod", "--dir", dir).wantExit(0).wantText("docker load -i image.tar")
	compose := p.read(filepath.Join(dir, "compose.yaml"))
	for _, want := range []string{st.Image.Digest, `"127.0.0.1:18080:8000"`, "SLIPWAY_RELEASE: \"" + st.Release + "\""} {
		if !strings.Contains(compose, want) {
			p.t.Errorf("compose.yaml does not contain %s:\n%s", want, compose)
		}
	}
	archive, err := exec.Command("tar", "-tf", filepath.Join(dir, "image.tar")).CombinedOutput()
	if _, digest, _ := strings.Cut(st.Image.Digest, ":"); err != nil || !strings.Contains(string(archive), "manifest.json\n") || !strings.Contains(string(archive), "blobs/sha256/"+digest) {
		p.t.Errorf("image.tar: %v\n%s", err, archive)
	}
	if _, err := os.Stat(filepath.Join(dir, "model", "model_metrics.json")); model != (err == nil) {
		p.t.Errorf("the model's files: %v", err)
	}
	p.slipway("eject", "--env", "prod", "--dir", dir).wantExit(2).wantText("is not empty")
}

// post sends JSON and returns the response's body.
func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: status %d, %v\n%s", url, resp.StatusCode, err, text)
	}
	return string(text)
}

// Takes what a pipeline says, and plans it for every environment; the pipeline's flaws are
// listed with their places.
func TestInit_FromWorkflow(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.env = append(p.env, "SLIPWAY_BUILDKITD="+builder.Require(t).Daemon)
	p.must(os.CopyFS(p.dir, os.DirFS(filepath.Join("..", "internal", "scaffold", "testdata", "repos", "workshop"))))
	p.git("init", "-q", "-b", "main")
	p.commit("as it is")
	text := p.slipway("init", "--from", ".github/workflows/ship.yml").wantExit(0)
	text.wantText("flaws of .github/workflows/ship.yml and its policies: ", ".github/workflows/ship.yml:56: swallowed-failure", "aws/iam/trust-policy.json:10: open-trust", "planned for prod: ")
	p.commit("Slipway")
	for _, env := range []string{"dev", "staging", "prod"} {
		var plan struct{ Steps []struct{ Name string } }
		p.must(json.Unmarshal([]byte(p.slipway("plan", "--env", env, "--json").wantExit(0).stdout), &plan))
		if len(plan.Steps) < 3 {
			t.Errorf("the plan for %s has %d steps, want more", env, len(plan.Steps))
		}
	}
}

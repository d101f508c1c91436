package scaffold_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/scaffold"
	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// scan writes the file for a repository in testdata/repos, as on a machine with Python
// 3.11 and nothing else.
func scan(t *testing.T, name string, from string) scaffold.Result {
	t.Helper()
	dir := filepath.Join("testdata", "repos", name)
	opts := scaffold.Options{Name: name, Kinds: catalog.Default(), LookPath: func(program string) (string, error) {
		if program == "python3.11" {
			return "/usr/bin/" + program, nil
		}
		return "", errors.New("not found")
	}}
	if from != "" {
		text, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		if opts.From, err = pipeline.Read(from, text); err != nil {
			t.Fatal(err)
		}
	}
	r, err := scaffold.Write(os.DirFS(dir), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// report is what a result says besides its file.
func report(r scaffold.Result) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Summary)
	for _, f := range r.Found {
		fmt.Fprintf(&b, "%s = %s [%s]\n", f.Key, f.Value, f.Source)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "missing: %s\n", m)
	}
	for _, s := range r.Services {
		fmt.Fprintf(&b, "service %s in %s (%s): %s\n", s.Name, s.Dir, s.Dockerfile, s.Command)
	}
	for _, f := range r.Flaws {
		fmt.Fprintf(&b, "%s %s: %s\n", f.At, f.Rule, f.What)
	}
	return b.String()
}

// The files for repositories as people have them, with what was found where.
func TestWrite_Repositories(t *testing.T) {
	for name, c := range map[string]struct{ repo, from string }{
		"workshop":          {repo: "workshop"},
		"workshop-workflow": {"workshop", ".github/workflows/ship.yml"},
		"serving":           {repo: "serving"},
		"diabetes":          {repo: "diabetes"},
		"nested":            {repo: "nested"},
		"nested-gitlab":     {"nested", ".gitlab-ci.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			r := scan(t, c.repo, c.from)
			golden(t, "testdata/repos/"+name+".yaml", r.File)
			golden(t, "testdata/repos/"+name+".txt", []byte(report(r)))
			if _, err := config.Parse("slipway.yaml", r.File, nil, catalog.Default()); err != nil {
				t.Error(err)
			}
			validateSchema(t, r.File)
		})
	}
}

// What stands in comments is right as it stands, too: the smoke check, and the cluster of
// the pipeline.
func TestWrite_ProposalsOfRepositoriesAreValid(t *testing.T) {
	for _, name := range []string{"workshop", "serving", "diabetes", "nested"} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("  # smoke:", "  smoke:", "  #   - {name: predict", "    - {name: predict").Replace(string(scan(t, name, "").File))
			p, err := config.Parse("slipway.yaml", []byte(text), nil, catalog.Default())
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(p.Deploy.Smoke) != 1 || p.Deploy.Smoke[0].Post == "" {
				t.Errorf("smoke = %+v, want one that posts", p.Deploy.Smoke)
			}
		})
	}
	t.Run("cluster", func(t *testing.T) {
		text := string(scan(t, "workshop", ".github/workflows/ship.yml").File)
		before, after, _ := strings.Cut(text, "  # prod:\n")
		var lines []string
		for line := range strings.Lines(before) {
			if !strings.HasPrefix(line, "  prod:") {
				lines = append(lines, strings.Replace(line, "  # manifests:", "  manifests:", 1))
			}
		}
		text = strings.Join(lines, "") + "  prod:\n" + strings.ReplaceAll(after, "  #   ", "    ")
		registry := "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/shop/basket-api"
		if !strings.Contains(text, "  # image: {repository: "+registry+"}\n") {
			t.Errorf("the file does not name the registry of the cluster:\n%s", text)
		}
		text = strings.Replace(text, ", repository: shop/basket-api}", ", repository: "+registry+"}", 1)
		p, err := config.Parse("slipway.yaml", []byte(text), nil, catalog.Default())
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		want := []string{"aws/k8s/basket-api.yaml"}
		if diff := cmp.Diff(want, p.Deploy.Manifests); diff != "" || p.Environments["prod"].Target.Kind != "kubernetes" {
			t.Errorf("target %s, manifests (-want +got):\n%s", p.Environments["prod"].Target.Location, diff)
		}
	})
}

// A repository with several services gets no file.
func TestWrite_Monorepo(t *testing.T) {
	r := scan(t, "monorepo", "")
	want := []scaffold.Service{
		{Name: "pricing", Dir: "services/pricing", Dockerfile: "services/pricing/Dockerfile", Command: "(cd services/pricing && slipway init)"},
		{Name: "ranking", Dir: "services/ranking", Dockerfile: "services/ranking/Dockerfile", Command: "(cd services/ranking && slipway init)"},
	}
	if diff := cmp.Diff(want, r.Services); diff != "" || r.File != nil {
		t.Errorf("file %q, services (-want +got):\n%s", r.File, diff)
	}
}

// Which Dockerfile serves, and what its context is.
func TestWrite_ChoosesImage(t *testing.T) {
	serve := func(more string) string {
		return "FROM python\n" + more + "CMD [\"uvicorn\", \"main:app\"]\n"
	}
	for name, c := range map[string]struct {
		files []string
		want  string // in the file
	}{
		"the one that serves":             {[]string{"Dockerfile", "FROM python\nCMD [\"python\", \"train.py\"]\n", "api/Dockerfile", serve("")}, "dockerfile: api/Dockerfile"},
		"the one that exposes":            {[]string{"a/Dockerfile", "FROM x\nCMD [\"/a\"]\n", "b/Dockerfile", "FROM x\nEXPOSE 80\nCMD [\"/b\"]\n"}, "dockerfile: b/Dockerfile"},
		"the one that can be built":       {[]string{"a/infer.Dockerfile", serve("COPY src /src\n"), "b/Dockerfile", serve("COPY app.py /\n"), "b/app.py", "x"}, "dockerfile: b/Dockerfile"},
		"by the program it runs":          {[]string{"a/Dockerfile", "FROM x\nCMD [\"python\", \"run.py\"]\n", "a/run.py", "model.fit(x)\n", "b/Dockerfile", "FROM x\nCMD python run.py\n", "b/run.py", "Flask(__name__)\n"}, "dockerfile: b/Dockerfile"},
		"any spelling":                    {[]string{"server/DockerFile", serve("")}, "dockerfile: server/DockerFile"},
		"not the development one":         {[]string{"Dockerfile.dev", serve(""), "Dockerfile.prod", serve("")}, "dockerfile: Dockerfile.prod"},
		"context of the folder":           {[]string{"server/Dockerfile", serve("COPY app.py /\n"), "server/app.py", ""}, "context: server"},
		"context of the top":              {[]string{"server/Dockerfile", serve("COPY server/app.py /\n"), "server/app.py", ""}, "dockerfile: server/Dockerfile}"},
		"context of the top, by ..":       {[]string{"server/Dockerfile", serve("COPY ../shared /shared\n"), "shared/x.py", ""}, "dockerfile: server/Dockerfile}"},
		"context between":                 {[]string{"ml/docker/Dockerfile", serve("COPY src /src\n"), "ml/src/x.py", ""}, "context: ml}"},
		"context of a folder for Docker":  {[]string{"docker/Dockerfile", serve("COPY . /app\n"), "docker/entrypoint.sh", "", "main.py", ""}, "dockerfile: docker/Dockerfile}"},
		"context that the CI gives":       {[]string{"api/Dockerfile", serve("COPY requirements.txt /\n"), "api/requirements.txt", "", "requirements.txt", "", ".github/workflows/x.yml", "jobs: {a: {steps: [{run: docker build -f api/Dockerfile .}]}}\n"}, "dockerfile: api/Dockerfile}"},
		"copies of other stages are free": {[]string{"api/Dockerfile", serve("COPY --from=0 --chown=1:1 /nowhere /\nADD https://example.com/x /x\n"), "api/x.py", ""}, "context: api}"},
		"continued and heredoc lines":     {[]string{"api/Dockerfile", "FROM python\nRUN a \\\n  # why\n  && b\nCOPY <<EOF /x\nCOPY none /\nEOF\nCOPY app.py \\\n  lib /\nCMD [\"uvicorn\", \"main:app\"]\n", "api/app.py", "", "api/lib/x", ""}, "context: api}"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := scaffold.Write(repository(c.files...), scaffold.Options{Name: "x", Kinds: catalog.Default()})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(r.File), c.want) || r.Services != nil {
				t.Errorf("the file does not contain %q:\n%s%s", c.want, r.File, report(r))
			}
		})
	}
}

// The port of the server, as far as the Dockerfile tells.
func TestWrite_FindsPort(t *testing.T) {
	for name, c := range map[string]struct{ dockerfile, want string }{
		"EXPOSE":              {"FROM x\nEXPOSE 8000\nCMD uvicorn a:b\n", "8000 [EXPOSE (Dockerfile:2)]"},
		"protocol":            {"FROM x\nEXPOSE 9000/tcp\nCMD uvicorn a:b\n", "9000 [EXPOSE (Dockerfile:2)]"},
		"variable":            {"FROM x\nENV PORT=5001\nEXPOSE ${PORT}\nCMD uvicorn a:b --port $PORT\n", "5001 [EXPOSE (Dockerfile:3)]"},
		"command":             {"FROM x\nCMD [\"uvicorn\", \"a:b\", \"--port\", \"80\"]\n", "80 [its command (Dockerfile:2)]"},
		"command over EXPOSE": {"FROM x\nEXPOSE 8000\nCMD [\"uvicorn\", \"a:b\", \"--port=8001\"]\n", "8001 [its command (Dockerfile:3)]"},
		"gunicorn":            {"FROM x\nCMD gunicorn -b 0.0.0.0:5050 a:b\n", "5050 [its command (Dockerfile:2)]"},
		"earlier stage":       {"FROM x AS base\nEXPOSE 7000\nFROM base\nCMD uvicorn a:b\n", "7000 [EXPOSE (Dockerfile:2)]"},
		"two ports":           {"FROM x\nEXPOSE 8000 9000\nCMD uvicorn a:b\n", ""},
		"other stage":         {"FROM x AS build\nEXPOSE 7000\nFROM y\nCMD uvicorn a:b\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := scaffold.Write(repository("Dockerfile", c.dockerfile), scaffold.Options{Name: "x", Kinds: catalog.Default()})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range r.Found {
				if f.Key == "deploy.port" {
					got = fmt.Sprintf("%s [%s]", f.Value, f.Source)
				}
			}
			if got != c.want {
				t.Errorf("port = %q, want %q", got, c.want)
			}
		})
	}
}

// What a pipeline's triggers become.
func TestWrite_Environments(t *testing.T) {
	for name, c := range map[string]struct {
		on   string
		want []string
	}{
		"branches":      {"push: {branches: [master, develop, 'release/**', '!x']}", []string{"  staging: {on: {push: develop}", "  prod: {on: {push: master}", `  release: {on: {push: "release/**"}`}},
		"tags":          {"push: {tags: ['v*']}", []string{`  prod: {on: {tag: "v*"}`}},
		"both":          {"push: {branches: [main], tags: ['v*']}", []string{`  prod: {on: {push: main, tag: "v*"}`}},
		"pull requests": {"{pull_request: {}, schedule: [{cron: '0 3 * * 1'}]}", []string{"  dev: {on: {pull_request: main}, until: build}", "  prod: {on: {push: main}"}},
		"words":         {"[push, pull_request]", []string{"  dev: {on: {pull_request: main}, until: build}", "  prod: {on: {push: main}"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := "on:\n  " + c.on + "\njobs: {a: {steps: []}}\n"
			p, err := pipeline.Read("w.yml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			r, err := scaffold.Write(repository(), scaffold.Options{Name: "x", Kinds: catalog.Default(), From: p})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(r.File), want) {
					t.Errorf("the file does not contain %q:\n%s", want, r.File)
				}
			}
		})
	}
}

// Training that needs what the repository lacks is named, and has the requirements that
// list what it imports.
func TestWrite_Training(t *testing.T) {
	r, err := scaffold.Write(repository(
		"requirements.txt", "fastapi\n", "requirements-dev.txt", "-r requirements.txt\nscikit-learn\n",
		"ml/train.py", "import sklearn\np.add_argument('--data', required=True)\np.add_argument('--out', default='x')\n",
		"ml/evaluate.py", "p.add_argument('--model'); p.add_argument('--metrics')\nprint({'rmse': 1})\n",
	), scaffold.Options{Name: "x", Kinds: catalog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"python ml/train.py --out {{.Output}}", "python: {requirements: requirements-dev.txt}", "rmse <= champion.rmse"} {
		if !strings.Contains(string(r.File), want) {
			t.Errorf("the file does not contain %q:\n%s", want, r.File)
		}
	}
	if !strings.Contains(strings.Join(r.Missing, "\n"), "ml/train.py takes --data") {
		t.Errorf("missing = %q, want the data", r.Missing)
	}
}

// In a folder of a larger repository, its branch counts.
func TestWrite_BranchOfFolderAbove(t *testing.T) {
	r, err := scaffold.Write(repository(), scaffold.Options{Name: "x", Kinds: catalog.Default(), Git: repository(".git/refs/heads/master", "x")})
	if err != nil || !strings.Contains(string(r.File), "push: master") {
		t.Errorf("%v, the file does not name the branch:\n%s", err, r.File)
	}
}

// Scripts of CIs that are no YAML.
func TestWrite_TestsOfOtherFiles(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"Jenkinsfile": {"Jenkinsfile", "pipeline { stages { stage('T') { steps {\n sh '. .venv/bin/activate && pytest -q tests'\n sh '''\n  pip install -r requirements.txt\n  mypy .\n'''\n} } } }\n", "{name: mypy, run: mypy . # Jenkinsfile:5"},
		"Makefile":    {"Makefile", "lint:\n\t-@flake8 src\n\ntest: lint\n\tpytest -q\n", "{name: flake8, run: flake8 src"},
		"tox.ini":     {"tox.ini", "[tox]\nenvlist = py311\n[testenv]\ndeps = pytest\ncommands =\n    pytest {posargs}\n    pylint app\n", "{name: pylint, run: pylint app"},
		"pyproject":   {"pyproject.toml", "[project]\n", "{name: python, run: \"pytest -q --junitxml={{.Report}}\""},
		"unittest":    {"x.txt", "", "run: python3 -m unittest discover -s tests"},
	} {
		t.Run(name, func(t *testing.T) {
			test := "import pytest\n"
			if name == "unittest" {
				test = "import unittest\n"
			}
			r, err := scaffold.Write(repository(c.file, c.text, "requirements.txt", "pytest\nmypy\nflake8\npylint\n", "tests/test_a.py", test), scaffold.Options{Name: "x", Kinds: catalog.Default()})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(string(r.File), ", python: {requirements: requirements.txt}}", ""); !strings.Contains(got, c.want) {
				t.Errorf("the file does not contain %q:\n%s", c.want, got)
			}
		})
	}
}

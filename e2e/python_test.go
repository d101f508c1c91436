//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The pinned requirements of Python commands; the example has the same.
const (
	pinnedRequirements = "pytest==9.2.0\nruff==0.17.6\n"
	indexPassword      = "e2e-planted-in-an-index-5d20"
	pythonSetting      = "python: {requirements: tools/requirements-dev.txt}"
	pythonTests        = `test:
  - {name: ruff, run: ruff check --isolated --output-format json checks, report: ruff, ` + pythonSetting + `}
  - {name: pytest, run: "pytest -q --junitxml={{.Report}} checks", report: junit, ` + pythonSetting + `}
`
)

const goodTest = `import pytest


@pytest.mark.parametrize("n", [1, 2])
def test_double(n):
    assert n + n == 2 * n
`

// newPythonProject is a project with real tests in Python.
func newPythonProject(t *testing.T) *project {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("Python not found: %v", err)
	}
	p := newTinyProject(t)
	text := p.read(p.dir + "/slipway.yaml")
	before, after := strings.Index(text, "test:\n"), strings.Index(text, "image:\n")
	p.write("slipway.yaml", text[:before]+pythonTests+"\n"+text[after:])
	p.write("tools/requirements-dev.txt", "-r pins.txt\n")
	p.write("tools/pins.txt", pinnedRequirements)
	p.write("checks/test_double.py", goodTest)
	p.commit("tests in Python")
	return p
}

// Runs pytest and ruff in environments that Slipway builds with pip, and checks its
// messages for failures.
func TestPython_Pip(t *testing.T) {
	t.Parallel()
	p := newPythonProject(t)
	first := p.run("--until", "test").wantExit(0)
	p.wantSummaries(first, "no findings", "2 passed")
	if n := len(p.pythonEnvironments()); n != 1 {
		t.Errorf("two tests with the same requirements have %d environments, want 1", n)
	}
	if again := p.run("--until", "test").wantExit(0); !again.step("test.pytest").Cached {
		t.Errorf("test.pytest of the unchanged commit = %+v, want it cached", again.step("test.pytest"))
	}

	p.write("checks/test_double.py", strings.Replace(goodTest, "== 2 * n", "== 2 * n + n // 2", 1))
	p.commit("a test that fails")
	p.run("--until", "test").wantExit(1).wantText("checks/test_double.py:6", "checks/test_double.py::test_double[2]")
	p.write("checks/test_double.py", "import os\n\n"+goodTest)
	p.commit("something unused")
	p.run("--until", "test").wantExit(1).wantText("1 finding: F401 (checks/test_double.py:1:8)")
	p.write("checks/test_double.py", "import nothing_like_it\n\nnothing_like_it.x()\n")
	p.commit("something missing")
	p.run("--until", "test").wantExit(1).wantText("checks/test_double.py:1", "No module named 'nothing_like_it'")
	p.write("checks/test_double.py", goodTest)
	p.checkBrokenRequirements()
	p.slipway("cleanup", "--older", "0s").wantExit(0)
	if left := p.pythonEnvironments(); len(left) > 0 {
		t.Errorf("environments after slipway cleanup: %v, want none", left)
	}
}

// checkBrokenRequirements checks that Slipway distinguishes a failed install from a failed
// test, and a wrong requirement from an unreachable index.
func (p *project) checkBrokenRequirements() {
	p.t.Helper()
	p.write("tools/pins.txt", pinnedRequirements+"idna==99.9\n")
	p.commit("a version that there is not")
	p.run("--until", "test").wantExit(1).wantText("install tools/requirements-dev.txt: no matching distribution for idna==99.9")
	if n := len(p.pythonEnvironments()); n != 1 {
		p.t.Errorf("environments after a failed install: %v, want none", p.pythonEnvironments())
	}
	p.write("tools/pins.txt", pinnedRequirements+"idna==3.20\n")
	p.commit("another requirement")
	before := p.env
	p.env = append(slices.Clone(before), "PIP_INDEX_URL=http://robot:"+indexPassword+"@127.0.0.1:9/simple", "PIP_RETRIES=0", "PIP_FIND_LINKS=")
	p.run("--until", "test").wantExit(1).wantText("investigate: install tools/requirements-dev.txt: the package index is unreachable", "PIP_INDEX_URL")
	p.env = before
	p.wantNoSecrets(indexPassword)
	p.run("--until", "test").wantExit(0)
	p.write("tools/pins.txt", pinnedRequirements+"-e ..\n")
	p.commit("its own code")
	p.run("--until", "test").wantExit(1).wantText("tools/pins.txt:3", "code from the repository")
}

func (p *project) wantSummaries(r result, summaries ...string) {
	p.t.Helper()
	for i, name := range []string{"test.ruff", "test.pytest"} {
		if got := r.step(name).Summary; got != summaries[i] {
			p.t.Errorf("%s: %q, want %q", name, got, summaries[i])
		}
	}
}

// pythonEnvironments returns the complete environments.
func (p *project) pythonEnvironments() []string {
	p.t.Helper()
	whole, err := filepath.Glob(filepath.Join(p.cache(), "projects", "*", "*", "python", "*", "env"))
	p.must(err)
	return whole
}

// Checks that the clones of a repository share their environments, and that none of them
// removes what another one uses.
func TestPython_SharedByClones(t *testing.T) {
	t.Parallel()
	p := newPythonProject(t)
	p.git("remote", "add", "origin", "https://robot:hunter22@git.example.com/shop/tiny.git")
	p.run("--until", "test").wantExit(0)
	if first := p.pythonEnvironments(); len(first) != 1 || !strings.Contains(first[0], "/trusted/") {
		t.Errorf("environments = %v, want one, trusted", first)
	}
	clone := *p
	clone.dir = filepath.Join(p.base, "clone")
	clone.home = filepath.Join(clone.dir, ".slipway")
	p.git("clone", "-q", p.dir, clone.dir)
	clone.git("remote", "set-url", "origin", "git@git.example.com:shop/tiny.git")
	clone.run("--until", "test").wantExit(0)
	if all := p.pythonEnvironments(); len(all) != 1 {
		t.Errorf("environments of two clones = %v, want one", all)
	}
	p.slipway("cleanup", "--older", "0s").wantExit(0)
	if left := p.pythonEnvironments(); len(left) != 1 {
		t.Errorf("environments after a cleanup = %v, want the one that the clone uses", left)
	}
	p.must(os.RemoveAll(clone.dir))
	p.slipway("cleanup", "--older", "0s").wantExit(0)
	if left := p.pythonEnvironments(); len(left) > 0 {
		t.Errorf("environments after the clone is gone = %v, want none", left)
	}
}

// Does the same with uv, and from a lock file.
func TestPython_UV(t *testing.T) {
	t.Parallel()
	p := newPythonProject(t)
	tools := filepath.Join(p.base, "tools")
	p.runTool("python3", "-m", "venv", tools)
	p.runTool(filepath.Join(tools, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv")
	p.must(os.Mkdir(filepath.Join(p.base, "bin"), 0o755))
	p.must(os.Symlink(filepath.Join(tools, "bin", "uv"), filepath.Join(p.base, "bin", "uv")))
	for i, kv := range p.env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			p.env[i] = "PATH=" + filepath.Join(p.base, "bin") + ":" + path
		}
	}
	p.wantSummaries(p.run("--until", "test").wantExit(0), "no findings", "2 passed")
	p.write("tools/pins.txt", pinnedRequirements+"idna==99.9\n")
	p.commit("a version that there is not")
	p.run("--until", "test").wantExit(1).wantText("no matching distribution for idna==99.9")

	p.write("pyproject.toml", "[project]\nname = \"tiny\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\n[dependency-groups]\ndev = [\"pytest\", \"ruff\"]\n")
	p.runTool("sh", "-c", "SSL_CERT_FILE=${PIP_CERT:-} "+filepath.Join(p.base, "bin", "uv")+" lock -q")
	text := p.read(p.dir + "/slipway.yaml")
	p.write("slipway.yaml", strings.ReplaceAll(text, pythonSetting, "python: {lock: uv.lock}"))
	p.commit("a lock")
	p.wantSummaries(p.run("--until", "test").wantExit(0), "no findings", "2 passed")
	p.write("pyproject.toml", strings.Replace(p.read(p.dir+"/pyproject.toml"), `"ruff"`, `"ruff", "idna"`, 1))
	p.commit("a lock of another project")
	p.run("--until", "test").wantExit(1).wantText("the lock file does not match pyproject.toml")
}

//go:build e2e && linux

package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/e2e/base"
	"github.com/slipway-cd/slipway/e2e/builder"
	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
)

// Takes the Python example from a commit to production on a stand-in for its base
// image, then breaks it.
func TestRetail_Python(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	p := retailPython(t, root)
	p.runTool("python3", "-m", "training.generate")
	commit := p.commit("Retail in Python")

	// In parts, each with its own timeout: packages are fetched twice.
	p.run("--until", "test").wantExit(0)
	p.run("--until", "push").wantExit(0)
	first := p.run().wantRun(0, "deployed")
	good := first.report.Release
	if st := p.status("prod"); st.Release != good || st.Commit != commit || st.Health != "healthy" {
		t.Fatalf("status = %+v, want release %s of commit %s, healthy", st, good, commit)
	}
	p.wantComputedPrediction(p.status("prod").URL)
	p.wantRetailDeployed(good)
	if s := first.step("test.unit"); !strings.Contains(s.Summary, "passed") {
		t.Errorf("summary of test.unit = %q, want \"passed\" in it", s.Summary)
	}

	p.edit("server/settings.py", "PREDICT_BUDGET = 1.0", "PREDICT_BUDGET = 1e-9")
	p.edit("tests/conftest.py", `release="r-0123456789ab")`, `release="r-0123456789ab", predict_budget=1.0)`)
	p.edit("tests/test_process.py", `b"HTTP/1.1 200"`, `b"HTTP/1.1 "`)
	p.commit("a budget that nothing keeps")
	if r := p.run().wantRun(3, "rolled_back"); !strings.Contains(r.report.Cause, "500") {
		t.Errorf("the cause does not name the answer: %s", r.report.Cause)
	}
	p.wantRetailDeployed(good)
	p.git("revert", "--no-edit", "HEAD")

	p.edit("tests/test_server.py", `"status": "ok"`, `"status": "fine"`)
	p.commit("a test that fails")
	p.run().wantRun(1, "failed").wantText("tests/test_server.py::test_health_names_what_serves (tests/test_server.py:")
	p.wantRetailDeployed(good)
	p.git("revert", "--no-edit", "HEAD")

	p.checkGates(testdb.Vulnerability{Ecosystem: "python", Package: "pydantic"}, good)
}

// retailPython is the example, with a builder and a stand-in for the public registry.
func retailPython(t *testing.T, root string) *project {
	t.Helper()
	tools := builder.Require(t)
	if out, err := exec.Command("python3.11", "--version").CombinedOutput(); err != nil {
		t.Skipf("Python 3.11 not found: %v %s", err, out)
	}
	img, err := base.Builder{Dir: filepath.Join(root, "bin", "base"), Log: os.Stderr}.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.must(os.CopyFS(p.dir, os.DirFS(filepath.Join(root, "examples", "retail-python"))))
	for _, left := range []string{"data", ".venv", ".pytest_cache", ".ruff_cache"} {
		p.must(os.RemoveAll(filepath.Join(p.dir, left)))
	}
	p.edit("slipway.yaml", "  memory: 512MiB\n", "  memory: 512MiB\n  env: {E2E_BASE: "+p.base+"}\n")
	p.git("init", "-q", "-b", "main")
	address := p.startMirror()
	if _, err := base.Push(t.Context(), img, address, registryToken); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "SLIPWAY_BUILDKITD="+tools.Daemon, "SLIPWAY_MIRRORS=docker.io=http://"+address,
		"DOCKER_HOST=unix://"+p.base+"/no-docker.sock", "DOCKER_CONFIG="+p.base)
	return p
}

// registryToken permits pushing to the registries of the tests.
const registryToken = "e2e-registry-token-5f0c"

// startMirror serves an embedded registry, to push to as well, until the test ends.
func (p *project) startMirror() string {
	p.t.Helper()
	said, w, err := os.Pipe()
	p.must(err)
	cmd := exec.Command(slipwayBinary(), "registry", "--writable", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = p.dir, append(slices.Clone(p.env), "SLIPWAY_HOME="+filepath.Join(p.base, "mirror"), "SLIPWAY_REGISTRY_TOKEN="+registryToken)
	cmd.Stdout, cmd.Stderr = w, w
	p.must(cmd.Start())
	w.Close()
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line := make([]byte, 200)
	n, err := io.ReadAtLeast(said, line, len("the registry is at 127.0.0.1:1"))
	if err != nil {
		p.t.Fatalf("%s: %v", line[:n], err)
	}
	go func() { _, _ = io.Copy(io.Discard, said); said.Close() }()
	_, address, ok := strings.Cut(strings.TrimSpace(string(line[:n])), "the registry is at ")
	if !ok {
		p.t.Fatalf("no address in %q", line[:n])
	}
	return address
}

//go:build e2e

package venv

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// wheel is a package with one module, whose version can be read.
func wheel(t *testing.T, name, version, requires string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	info := name + "-" + version + ".dist-info/"
	meta := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	if requires != "" {
		meta += "Requires-Dist: " + requires + "\n"
	}
	for _, f := range []struct{ name, text string }{
		{name + ".py", "version = '" + version + "'\n"}, {info + "METADATA", meta},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// packageIndex serves wheels as PyPI does.
func packageIndex(t *testing.T, wheels map[string][]byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
			_, _ = w.Write(wheels[file])
			return
		}
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
		w.Header().Set("Content-Type", "text/html")
		for file := range wheels {
			if strings.HasPrefix(file, name+"-") {
				fmt.Fprintf(w, "<a href=\"/files/%s\">%s</a>\n", file, file)
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/simple/"
}

func sha(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestEnsure_InstallsLockedPackages installs with Python's own pip from an index on
// this machine: what is locked, by its hash, and packages besides it.
func TestEnsure_InstallsLockedPackages(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || testing.Short() {
		t.Skip("needs python3, and a few seconds")
	}
	if exec.Command(python, "-c", "import venv, ensurepip").Run() != nil {
		t.Skip("this Python has no venv")
	}
	wheels := map[string][]byte{
		"alpha-1.0-py3-none-any.whl": wheel(t, "alpha", "1.0", ""), "alpha-2.0-py3-none-any.whl": wheel(t, "alpha", "2.0", ""),
		"beta-1.0-py3-none-any.whl": wheel(t, "beta", "1.0", ""), "gamma-3.0-py3-none-any.whl": wheel(t, "gamma", "3.0", "alpha"),
	}
	lock := func(version string) string {
		file := "alpha-" + version + "-py3-none-any.whl"
		return "[[package]]\nname = \"alpha\"\nversion = \"1.0\"\ngroups = [\"main\"]\nfiles = [{file = \"x\", hash = \"" + sha(wheels[file]) + "\"}]\n" +
			"[[package]]\nname = \"beta\"\nversion = \"1.0\"\ngroups = [\"main\"]\nmarkers = \"sys_platform == 'none'\"\nfiles = [{file = \"x\", hash = \"" + sha(wheels["beta-1.0-py3-none-any.whl"]) + "\"}]\n" +
			"[metadata]\nlock-version = \"2.1\"\n"
	}
	root := tree(t, map[string]string{"poetry.lock": lock("1.0"), "pyproject.toml": "", "bad/poetry.lock": lock("2.0"), "bad/pyproject.toml": ""})
	r := step.Request{ArtifactsDir: t.TempDir()}
	spec := Spec{Checkout: root, Python: &step.PythonParams{Lock: "poetry.lock", Packages: []string{"gamma>=2"}}, Environ: []string{
		"PATH=" + filepath.Dir(python) + ":/usr/bin:/bin", "HOME=" + t.TempDir(), "PIP_INDEX_URL=" + packageIndex(t, wheels), "PIP_NO_CACHE_DIR=1",
	}}
	manager := Manager{Commands: fake.Shell{}}
	env, err := manager.Ensure(t.Context(), r, spec)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(env.Dir, "bin", "python"), "-c", "import alpha, gamma, importlib.util as u; print(alpha.version, gamma.version, u.find_spec('beta'))").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1.0 3.0 None" {
		t.Errorf("installed %s, %v, want alpha 1.0, gamma 3.0, and no beta", out, err)
	}
	spec.Python = &step.PythonParams{Lock: "bad/poetry.lock"}
	if _, err := manager.Ensure(t.Context(), r, spec); !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "does not match its hash") {
		t.Errorf("another file than was locked: %v, want %s", err, fault.Failed)
	}
	if info, err := os.Stat(filepath.Join(filepath.Dir(env.Dir), convertedName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the requirements: %v, %v, want a private file: URLs of indexes may hold credentials", info, err)
	}
}

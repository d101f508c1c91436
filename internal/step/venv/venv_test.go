package venv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// What stands for tools: they note that they were called, and do as their
// environment says.
const (
	fakePython = `#!/bin/sh
case "$1 $2" in
"-I -c") echo "{\"version\": \"$VERSION\", \"executable\": \"$0\", \"implementation\": \"cpython\", \"platform\": \"linux\"}";;
"-m venv") echo venv >> "$CALLS"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/bin/tool"; chmod +x "$3/bin/tool";;
"-m pip") echo "$3 ${PIP_USER-unset}" >> "$CALLS"; echo "Looking in indexes: $PIP_INDEX_URL"; sleep "${SLOW:-0}"; echo "$SAY"; exit "${CODE:-0}";;
esac
`
	fakeUV = `#!/bin/sh
case "$1 $2" in
"--version ") echo "uv 0.9.9 (linux)";;
"python find") echo "$KEPT";;
"venv --quiet") echo "uv venv" >> "$CALLS"; for dir; do :; done; mkdir -p "$dir/bin"; touch "$dir/bin/python";;
"pip install") echo "uv install $UV_DEFAULT_INDEX" >> "$CALLS";;
"pip freeze") echo "uv freeze" >> "$CALLS";;
"sync --locked") echo "uv sync" >> "$CALLS"; test -d "$UV_PROJECT_ENVIRONMENT/bin";;
esac
`
	fakeConda = `#!/bin/sh
case "$1" in
--version) echo "2.0.5";;
create) mkdir -p "$5/bin" "$5/conda-meta"; cp "$(command -v python3)" "$5/bin/python"; echo "$(basename "$0")" $(cat "$7") >> "$CALLS";;
esac
`
	pipfileText = `{"_meta": {"pipfile-spec": 6}, "default": {"foo": {"version": "==1", "hashes": ["sha256:0123"]}}}`
	condaText   = `version: 1
metadata: {platforms: [linux-64, osx-arm64]}
package:
  - {name: python, version: 3.12.4, manager: conda, platform: PLATFORM, url: "https://conda.example.com/linux-64/python-3.12.4-0.conda", hash: {md5: 0123456789abcdef0123456789abcdef, sha256: 00ff}, category: main, optional: false}
  - {name: python, version: 3.12.4, manager: conda, platform: osx-99, url: "https://conda.example.com/osx-99/python-3.12.4-0.conda", hash: {md5: 1123456789abcdef0123456789abcdef}, category: main, optional: false}
  - {name: sphinx, version: "1", manager: conda, platform: PLATFORM, url: "https://conda.example.com/noarch/sphinx-1.conda", hash: {md5: 2123456789abcdef0123456789abcdef}, category: docs, optional: true}
  - {name: idna, version: "3.7", manager: pip, platform: PLATFORM, url: "https://files.example.com/idna-3.7-py3-none-any.whl", hash: {sha256: 82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0}, category: main, optional: false}
`
)

// scene is a machine with tools, and a step that wants an environment.
type scene struct {
	t     *testing.T
	calls string
	vars  map[string]string
	r     step.Request
	w     Spec
	log   bytes.Buffer
}

func newScene(t *testing.T, tools map[string]string) *scene {
	t.Helper()
	bin := tree(t, tools)
	for name := range tools {
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &scene{t: t, calls: filepath.Join(t.TempDir(), "calls"), vars: map[string]string{
		"VERSION": "3.11.7", "PATH": bin + ":/usr/bin:/bin", "PIP_INDEX_URL": "https://robot:hunter22@pypi.example.com/simple", "PIP_USER": "1",
	}}
	s.vars["CALLS"] = s.calls
	s.r = step.Request{ArtifactsDir: t.TempDir(), Log: &s.log}
	s.w = Spec{Python: &step.PythonParams{Requirements: "r.txt"}, Checkout: tree(t, map[string]string{
		"r.txt": "foo==1\n", "uv.lock": "", "pyproject.toml": "", "Pipfile.lock": pipfileText, "conda-lock.yml": strings.ReplaceAll(condaText, "PLATFORM", condaPlatform()),
	})}
	return s
}

func (s *scene) ensure(ctx context.Context) (Env, error) {
	s.w.Environ = nil
	for name, value := range s.vars {
		s.w.Environ = append(s.w.Environ, name+"="+value)
	}
	return Manager{Commands: fake.Shell{}}.Ensure(ctx, s.r, s.w)
}

func (s *scene) must() Env {
	s.t.Helper()
	e, err := s.ensure(s.t.Context())
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
	return e
}

func (s *scene) called(want ...string) {
	s.t.Helper()
	raw, _ := os.ReadFile(s.calls)
	var got []string
	if text := strings.TrimSpace(string(raw)); text != "" {
		got = strings.Split(text, "\n")
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("called %q, want %q", got, want)
	}
}

func TestEnsure_CreatesOnce(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	first := s.must()
	s.called("venv", "install unset")
	if again := s.must(); again != first {
		t.Errorf("second environment = %v, want the first, %v", again, first)
	}
	s.called("venv", "install unset")
	if !strings.Contains(s.log.String(), "https://***@pypi.example.com") || strings.Contains(s.log.String(), "hunter22") {
		t.Errorf("log, want the index without its password:\n%s", s.log.String())
	}
	env := first.Environ([]string{"A=b", "PATH=/usr/bin", "VIRTUAL_ENV=/other", "PYTHONHOME=/x"})
	if want := []string{"A=b", "PATH=" + first.Dir + "/bin:/usr/bin", "VIRTUAL_ENV=" + first.Dir}; !slices.Equal(env, want) {
		t.Errorf("environment = %q, want %q", env, want)
	}
	// Another interpreter, other requirements: another environment.
	s.vars["VERSION"] = "3.12.1"
	if other := s.must(); other == first {
		t.Error("another Python has the same environment")
	}
	if err := os.WriteFile(filepath.Join(s.w.Checkout, "r.txt"), []byte("foo==2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if other := s.must(); other == first {
		t.Error("other requirements have the same environment")
	}
}

func TestEnsure_WithoutPython(t *testing.T) {
	s := newScene(t, nil)
	s.w.Python = nil
	list := []string{"PATH=/x"}
	if e := s.must(); e.Dir != "" || !slices.Equal(e.Environ(list), list) {
		t.Errorf("environment = %+v, variables %q, want none and %q", e, e.Environ(list), list)
	}
	s.called()
}

func TestEnsure_RecreatesIncomplete(t *testing.T) {
	harm := map[string]func(folder string) error{
		"killed before the end": func(f string) error { return os.Remove(filepath.Join(f, completionName)) },
		"the state folder moved": func(f string) error {
			return os.WriteFile(filepath.Join(f, completionName), []byte(`{"path":"/elsewhere/env"}`), 0o644)
		},
		"a mark that is none":     func(f string) error { return os.WriteFile(filepath.Join(f, completionName), []byte(`{`), 0o644) },
		"the interpreter is gone": func(f string) error { return os.Remove(filepath.Join(f, envName, "bin", "python")) },
	}
	for name, do := range harm {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, map[string]string{"python3": fakePython})
			e := s.must()
			leftover := filepath.Join(e.Dir, "leftover")
			if err := errors.Join(os.WriteFile(leftover, nil, 0o644), do(filepath.Dir(e.Dir))); err != nil {
				t.Fatal(err)
			}
			if again := s.must(); again != e {
				t.Errorf("environment = %v, want it again in %v", again, e)
			}
			s.called("venv", "install unset", "venv", "install unset")
			if _, err := os.Stat(leftover); err == nil {
				t.Error("what was there before is still there")
			}
		})
	}
}

func TestEnsure_FailureLeavesNothing(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	s.vars["CODE"], s.vars["SAY"] = "1", "ERROR: No matching distribution found for foo==1"
	_, err := s.ensure(t.Context())
	if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "install r.txt: no matching distribution for foo==1") {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(s.r.ArtifactsDir + "/python/*/env*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	s.called("venv", "install unset")
	s.vars["CODE"], s.vars["SAY"] = "0", ""
	s.must()
}

// TestEnsure_QueriesIndexWhenNothingFound: pip keeps to itself why an index has nothing.
func TestEnsure_QueriesIndexWhenNothingFound(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	s.vars["CODE"] = "1"
	s.vars["SAY"] = "ERROR: Could not find a version that satisfies the requirement foo (from versions: none)\nERROR: No matching distribution found for foo\n" +
		"  Could not fetch URL https://u:p@i/foo/: 503 Server Error: Unavailable - skipping"
	_, err := s.ensure(t.Context())
	if !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	s.called("venv", "install unset", "download unset")
}

// TestEnsure_WaitsForOtherStep: of steps that want the same environment at once, one
// makes it.
func TestEnsure_WaitsForOtherStep(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	s.vars["SLOW"] = "0.3"
	s.must() // fills w.Environ; the environment goes again
	if err := errors.Join(os.RemoveAll(s.r.ArtifactsDir), os.Remove(s.calls)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			r := s.r
			r.Log = nil
			if _, err := (Manager{Commands: fake.Shell{}}).Ensure(t.Context(), r, s.w); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.called("venv", "install unset")
}

// lockKeeper notes what a killed installer would keep locked.
type lockKeeper struct {
	port.Commands
	names []string
}

func (k *lockKeeper) Run(ctx context.Context, c port.Command, out io.Writer) (port.Exit, error) {
	for _, f := range flock.Inherited(ctx) {
		if strings.Contains(c.Run, "install") {
			k.names = append(k.names, f.Name())
		}
	}
	return k.Commands.Run(ctx, c, out)
}

func TestEnsure_InstallersInheritLock(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	e := s.must()
	if err := os.Remove(filepath.Join(filepath.Dir(e.Dir), completionName)); err != nil {
		t.Fatal(err)
	}
	k := &lockKeeper{Commands: fake.Shell{}}
	if _, err := (Manager{Commands: k}).Ensure(t.Context(), s.r, s.w); err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(filepath.Dir(e.Dir), lockName)}; !slices.Equal(k.names, want) {
		t.Errorf("the installer inherited %q, want %q", k.names, want)
	}
}

func TestEnsure_CancelledWhileWaiting(t *testing.T) {
	s := newScene(t, map[string]string{"python3": fakePython})
	e := s.must()
	folder := filepath.Dir(e.Dir)
	if err := os.Remove(filepath.Join(folder, completionName)); err != nil {
		t.Fatal(err)
	}
	lock, err := Manager{}.lock(t.Context(), s.r, folder)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	why := errors.New("stop")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, why)
	defer cancel()
	if _, err := s.ensure(ctx); !errors.Is(err, why) || IsFinal(ctx, err) {
		t.Errorf("error = %v, want %v", err, why)
	}
}

func TestEnsure_FindsTools(t *testing.T) {
	kept := filepath.Join(tree(t, map[string]string{"python3.12": strings.ReplaceAll(fakePython, "$VERSION", "3.12.4")}), "python3.12")
	if err := os.Chmod(kept, 0o755); err != nil {
		t.Fatal(err)
	}
	both := map[string]string{"python3": fakePython, "uv": fakeUV}
	cases := []struct {
		name  string
		tools map[string]string
		with  step.PythonParams
		calls []string
		says  string // of the error
	}{
		{"uv when it is there", both, step.PythonParams{Requirements: "r.txt"}, []string{"uv venv", "uv install https://robot:hunter22@pypi.example.com/simple"}, ""},
		{"a lock", both, step.PythonParams{Lock: "uv.lock"}, []string{"uv venv", "uv sync"}, ""},
		{"packages alone", map[string]string{"python3": fakePython}, step.PythonParams{Packages: []string{"pytest", "ruff==1"}}, []string{"venv", "install unset"}, ""},
		{"packages with a file", map[string]string{"python3": fakePython}, step.PythonParams{Requirements: "r.txt", Packages: []string{"pytest"}}, []string{"venv", "install unset"}, ""},
		{"packages after locked versions", both, step.PythonParams{Lock: "uv.lock", Packages: []string{"pytest"}}, []string{"uv venv", "uv sync", "uv freeze", "uv install https://robot:hunter22@pypi.example.com/simple"}, ""},
		{"another tool's lock", map[string]string{"python3": fakePython}, step.PythonParams{Lock: "Pipfile.lock", Packages: []string{"ruff"}}, []string{"venv", "install unset", "list unset", "install unset"}, ""},
		{"another tool's lock, with uv", both, step.PythonParams{Lock: "Pipfile.lock"}, []string{"uv venv", "uv install https://robot:hunter22@pypi.example.com/simple"}, ""},
		{"conda", map[string]string{"python3": fakePython, "micromamba": fakeConda, "conda": fakeConda}, step.PythonParams{Lock: "conda-lock.yml"}, []string{"micromamba @EXPLICIT https://conda.example.com/linux-64/python-3.12.4-0.conda#0123456789abcdef0123456789abcdef", "install unset"}, ""},
		{"conda without conda", both, step.PythonParams{Lock: "conda-lock.yml"}, nil, "install conda-lock.yml: none of micromamba, mamba, conda is in PATH"},
		{"a lock without uv", map[string]string{"python3": fakePython}, step.PythonParams{Lock: "uv.lock"}, nil, "uv is not in PATH"},
		{"the version asked for", map[string]string{"python3": fakePython, "python3.9": strings.ReplaceAll(fakePython, "$VERSION", "3.9.2")}, step.PythonParams{Requirements: "r.txt", Version: "3.9"}, []string{"venv", "install unset"}, ""},
		{"one that only uv has", both, step.PythonParams{Requirements: "r.txt", Version: "3.12"}, []string{"uv venv", "uv install https://robot:hunter22@pypi.example.com/simple"}, ""},
		{"a version that is not there", map[string]string{"python3": fakePython}, step.PythonParams{Requirements: "r.txt", Version: "3.1"}, nil, "Python 3.1 not found in PATH; available: 3.11.7"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, c.tools)
			s.vars["KEPT"], s.w.Python = kept, &c.with
			_, err := s.ensure(t.Context())
			if c.says == "" && err != nil || c.says != "" && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error = %v, want %s with %q", err, fault.Unavailable, c.says)
			}
			s.called(c.calls...)
		})
	}
}

func TestEnsure_WithoutAnyPython(t *testing.T) {
	s := newScene(t, map[string]string{"python3": "#!/bin/sh\nexit 1\n", "python": "#!/bin/sh\nexit 1\n"})
	if _, err := s.ensure(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "available: none") {
		t.Errorf("error = %v, want %s with %q", err, fault.Unavailable, "available: none")
	}
}

package venv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/textline"
)

// runner runs tools in a folder.
type runner struct {
	Manager
	dir     string // absolute
	environ []string
	box     *port.Box // nil: none
}

// writing returns the installer's box, in which it writes to one more folder.
func (p runner) writing(folder string) *port.Box {
	if p.box == nil {
		return nil
	}
	with := *p.box
	with.Write = append(slices.Clone(with.Write), folder)
	return &with
}

// tool is the installer, and the interpreter that it installs for.
type tool struct {
	UV     string // its version; empty: venv and pip
	Python interpreter

	Conda, CondaVersion string // program that installs a conda-lock.yml, Python included
}

// interpreter describes one Python of this machine.
type interpreter struct {
	Version        string `json:"version"` // 3.11.7
	Executable     string `json:"executable"`
	Implementation string `json:"implementation"`
	Platform       string `json:"platform"`
}

func (t tool) String() string {
	switch {
	case t.Conda != "":
		return t.Conda + " " + t.CondaVersion
	case t.UV != "":
		return "uv " + t.UV + ", Python " + t.Python.Version
	}
	return "pip, Python " + t.Python.Version
}

// recipe is everything that an environment is made from.
type recipe struct {
	tool  tool
	with  step.PythonParams
	files requirements
}

// formatVersion is increased when environments that earlier versions made can't
// be used any more.
const formatVersion = 1

// key identifies the environment: same key, same content.
func (e recipe) key() string {
	h := sha256.New()
	parts := []string{
		fmt.Sprint(formatVersion), e.tool.UV, e.tool.Python.Version, e.tool.Python.Executable, e.tool.Python.Implementation,
		e.tool.Python.Platform, e.with.File(), e.files.digest,
	}
	if e.files.locked != nil {
		parts = append(parts, "converted", fmt.Sprint(conversionVersion), e.tool.Conda, e.tool.CondaVersion, condaPlatform())
	}
	if len(e.with.Packages) > 0 {
		parts = append(append(parts, "packages"), e.with.Packages...)
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// detectTool finds uv, if it is installed, and the interpreter.
func (p runner) detectTool(ctx context.Context, w step.PythonParams) (tool, error) {
	if w.LockKind() == step.CondaLock {
		return p.conda(ctx, w.File())
	}
	uv, err := p.output(ctx, "uv --version")
	if err != nil {
		return tool{}, err
	}
	t := tool{UV: strings.TrimPrefix(textline.First(uv), "uv ")}
	if t.UV == "" && w.LockKind() == step.UVLock {
		return tool{}, fault.New(fault.Unavailable, "install %s: uv is not in PATH", w.File()).
			Hint("install uv (`pip install uv`), or use a requirements file: `uv export -o requirements.txt`")
	}
	t.Python, err = p.interpreter(ctx, w.Version, t.UV != "")
	return t, err
}

// interpreterProbe makes an interpreter describe itself. That of an environment
// describes the interpreter below.
const interpreterProbe = `import json, platform, sys, sysconfig; print(json.dumps({"version": platform.python_version(), ` +
	`"executable": getattr(sys, "_base_executable", sys.executable), "implementation": sys.implementation.name, "platform": sysconfig.get_platform()}))`

// interpreter returns the first one in PATH of that version, or the one that uv
// manages.
func (p runner) interpreter(ctx context.Context, version string, uv bool) (interpreter, error) {
	names := "python3 python"
	if version != "" {
		names = "python" + version + " " + names
	}
	each := `for p in ` + names + `; do command -v "$p" >/dev/null && "$p" -I -c ` + job.Quote(interpreterProbe) + `; done; true`
	found, err := p.interpreters(ctx, each)
	if err != nil {
		return interpreter{}, err
	}
	if i, ok := firstMatching(found, version); ok {
		return i, nil
	}
	if uv {
		kept, err := p.interpreters(ctx, `p=$(uv python find --no-project `+version+`) && "$p" -I -c `+job.Quote(interpreterProbe))
		if err != nil {
			return interpreter{}, err
		}
		if i, ok := firstMatching(kept, version); ok {
			return i, nil
		}
	}
	return interpreter{}, noPython(version, found)
}

func (p runner) interpreters(ctx context.Context, run string) ([]interpreter, error) {
	said, err := p.output(ctx, run)
	var found []interpreter
	for line := range strings.Lines(said) {
		var i interpreter
		if json.Unmarshal([]byte(line), &i) == nil && i.Version != "" && path.IsAbs(i.Executable) {
			found = append(found, i)
		}
	}
	return found, err
}

// firstMatching returns the first of that version: "3.11" matches 3.11.7.
func firstMatching(found []interpreter, version string) (interpreter, bool) {
	for _, i := range found {
		if version == "" || i.Version == version || strings.HasPrefix(i.Version, version+".") {
			return i, true
		}
	}
	return interpreter{}, false
}

func noPython(version string, found []interpreter) error {
	what, there := "Python "+version, "none"
	if version == "" {
		what = "Python 3"
	}
	var versions []string
	for _, i := range found {
		versions = append(versions, i.Version+" ("+i.Executable+")")
	}
	if len(versions) > 0 {
		there = strings.Join(versions, ", ")
	}
	return fault.New(fault.Unavailable, "%s not found in PATH; available: %s", what, there).
		Hint("install it (with uv: `uv python install %s`), or change `version`", strings.TrimPrefix(what, "Python "))
}

// probeTimeout is how long a tool may take to describe itself.
const probeTimeout = time.Minute

// output returns what a command prints on standard output, or "" if it fails.
func (p runner) output(ctx context.Context, run string) (string, error) {
	var out bytes.Buffer
	c := port.Command{Run: "exec 2>/dev/null\n" + run, Dir: p.dir, Env: p.environ, Timeout: probeTimeout, Box: p.box}
	exit, err := p.Commands.Run(ctx, c, &out)
	if err != nil {
		return "", fmt.Errorf("look for Python: %w", err)
	}
	if exit.Code != 0 || exit.TimedOut {
		return "", nil
	}
	return out.String(), nil
}

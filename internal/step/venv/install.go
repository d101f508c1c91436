package venv

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/job"
)

// install makes the environment at env.
func (p place) install(ctx context.Context, r step.Request, e recipe, env string) error {
	r.Logf("making a Python environment from %s (%s)", strings.Join(e.files.names, ", "), e.tool)
	r.Progress("installing %s with %s", e.with.File(), e.tool)
	file := e.with.File()
	if err := p.run(ctx, r, "make an environment with "+e.tool.String(), e.create(env), file); err != nil {
		return err
	}
	return p.run(ctx, r, "install "+file, e.install(env), file)
}

// create is the command that makes an empty environment.
func (e recipe) create(env string) string {
	python := job.Quote(e.tool.Python.Executable)
	if e.tool.UV != "" {
		return "uv venv --quiet --no-project --python " + python + " " + job.Quote(env)
	}
	return python + " -m venv " + job.Quote(env)
}

// install is the command that fills it. It runs where the file is.
func (e recipe) install(env string) string {
	name, python := path.Base(e.with.File()), job.Quote(filepath.Join(env, "bin", "python"))
	switch {
	case name == step.UVLock:
		return "UV_PROJECT_ENVIRONMENT=" + job.Quote(env) + " uv sync --locked --no-progress --no-install-workspace --python " + python
	case e.tool.UV != "":
		return "uv pip install --no-progress --python " + python + " -r " + job.Quote("./"+name)
	}
	return python + " -m pip install --no-input --disable-pip-version-check --progress-bar off -r " + job.Quote("./"+name)
}

// run runs one command; what tells its failure. Its output goes to the log
// without the credentials that addresses may have in them.
func (p place) run(ctx context.Context, r step.Request, what, command, file string) error {
	out := &transcript{to: r.Log}
	c := port.Command{Run: command, Dir: p.dir, Env: p.environ, Timeout: r.Spec.Timeout.D()}
	exit, err := p.Commands.Run(ctx, c, out)
	out.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch {
	case exit.TimedOut:
		return fault.New(fault.Unavailable, "%s: it took too long and was stopped", what).Hint("raise the step's timeout, or look at the package index")
	case exit.Code == 0:
		return nil
	case exit.Code > 128:
		cause, hint := job.Explain(exit, command)
		return fault.New(fault.Unavailable, "%s: %s", what, cause).Hint("%s", hint)
	}
	return explain(what, out.text(), path.Dir(file))
}

// misleading are variables that would send packages elsewhere, or bring others in.
var misleading = []string{
	"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REPORT", "PIP_QUIET", "PIP_LOG",
	"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_QUIET",
}

// forInstaller is the command's environment for an installer. uv is told what
// pip is told, unless it is told something of its own.
func forInstaller(environ []string) []string {
	all := map[string]string{}
	var out []string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
		if !contains(misleading, name) {
			out = append(out, kv)
		}
	}
	for _, pair := range []struct{ uv, pip, with string }{
		{"UV_DEFAULT_INDEX", all["PIP_INDEX_URL"], all["UV_INDEX_URL"]},
		{"UV_INDEX", all["PIP_EXTRA_INDEX_URL"], all["UV_EXTRA_INDEX_URL"]},
		{"UV_FIND_LINKS", strings.Join(strings.Fields(all["PIP_FIND_LINKS"]), ","), ""},
		{"SSL_CERT_FILE", all["PIP_CERT"], ""},
		{"UV_NO_INDEX", all["PIP_NO_INDEX"], ""},
	} {
		if pair.pip != "" && all[pair.uv] == "" && pair.with == "" {
			out = append(out, pair.uv+"="+pair.pip)
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

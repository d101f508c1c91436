package venv

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/job"
)

// install creates the environment at env.
func (p runner) install(ctx context.Context, r step.Request, e recipe, env string) error {
	r.Logf("creating a Python environment from %s (%s)", strings.Join(e.files.names, ", "), e.tool)
	r.Progress("installing %s with %s", e.with.File(), e.tool)
	file, timeout := e.with.File(), r.Spec.Timeout.D()
	what := "create an environment with " + e.tool.String()
	if said, ok, err := p.run(ctx, r.Log, what, port.Command{Run: e.create(env), Timeout: timeout}); err != nil || !ok {
		return runError(err, what, said, path.Dir(file))
	}
	what = "install " + file
	said, ok, err := p.run(ctx, r.Log, what, port.Command{Run: e.install(env), Timeout: timeout})
	if err != nil || ok {
		return err
	}
	return installError(what, said+p.fetchErrors(ctx, e, env, said), path.Dir(file))
}

func runError(err error, what, said, dir string) error {
	if err != nil {
		return err
	}
	return installError(what, said, dir)
}

// versionsNone is pip's phrase for a package without versions in the index;
// fetchErrorLine is what it prints about the index when it is verbose.
var (
	versionsNone   = regexp.MustCompile(`\(from versions: none\)`)
	fetchErrorLine = regexp.MustCompile(`(?m)^\s*Could not fetch URL .*$`)
)

// fetchErrors runs pip once more if it did not find a package at all: unless it
// is verbose, pip does not report that an index refused access, and calls the
// package missing.
func (p runner) fetchErrors(ctx context.Context, e recipe, env, said string) string {
	if e.tool.UV != "" || !versionsNone.MatchString(said) {
		return ""
	}
	run := job.Quote(filepath.Join(env, "bin", "python")) + " -m pip download -vv --no-deps --no-input --disable-pip-version-check --progress-bar off -d " +
		job.Quote(filepath.Join(env, "none")) + " -r " + job.Quote("./"+path.Base(e.with.File()))
	more, _, err := p.run(ctx, nil, "query the package index", port.Command{Run: run, Timeout: probeTimeout})
	if err != nil {
		return "" // what is known already has to suffice
	}
	return "\n" + strings.Join(fetchErrorLine.FindAllString(more, -1), "\n")
}

// create returns the command that creates an empty environment.
func (e recipe) create(env string) string {
	python := job.Quote(e.tool.Python.Executable)
	if e.tool.UV != "" {
		return "uv venv --quiet --no-project --python " + python + " " + job.Quote(env)
	}
	return python + " -m venv " + job.Quote(env)
}

// install returns the command that fills it. It runs in the file's folder.
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

// run runs one command of the installer and returns its output; ok reports
// whether it succeeded. The output goes to the log without the credentials that
// URLs may contain.
func (p runner) run(ctx context.Context, log io.Writer, what string, c port.Command) (said string, ok bool, err error) {
	out := newInstallerOutput(log)
	c.Dir, c.Env = p.dir, p.environ
	exit, err := p.Commands.Run(ctx, c, out)
	out.Close()
	switch {
	case err != nil:
		return "", false, fmt.Errorf("%s: %w", what, err)
	case exit.TimedOut:
		return "", false, fault.New(fault.Unavailable, "%s: timed out and was stopped", what).Hint("increase the step's timeout, or check the package index")
	case exit.Code > 128:
		cause, hint := job.FailureCause(exit, c.Run)
		return "", false, fault.New(fault.Unavailable, "%s: %s", what, cause).Hint("%s", hint)
	}
	return out.text(), exit.Code == 0, nil
}

// strippedVariables would send packages elsewhere, or bring in others.
var strippedVariables = []string{
	"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REPORT", "PIP_QUIET", "PIP_LOG",
	"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_QUIET",
}

// installerEnviron returns the command's environment for an installer. uv gets
// pip's settings, unless it has its own.
func installerEnviron(environ []string) []string {
	all := map[string]string{}
	var out []string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
		if !slices.Contains(strippedVariables, name) {
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

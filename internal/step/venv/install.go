package venv

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
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
	p.box = p.writing(filepath.Dir(env))
	from := slices.Concat(e.files.names, e.with.Packages)
	r.Logf("creating a Python environment from %s (%s)", strings.Join(from, ", "), e.tool)
	r.Progress("installing %s with %s", e.what(), e.tool)
	if err := e.writeFiles(filepath.Dir(env)); err != nil {
		return writeError(filepath.Dir(env), err)
	}
	timeout, dir := r.Spec.Timeout.D(), path.Dir(e.with.File())
	what := "create an environment with " + e.tool.String()
	if said, ok, err := p.run(ctx, r.Log, what, port.Command{Run: e.create(env), Timeout: timeout}); err != nil || !ok {
		return runError(err, what, said, dir)
	}
	for _, run := range e.installs(env) {
		what = "install " + e.what()
		said, ok, err := p.run(ctx, r.Log, what, port.Command{Run: run, Timeout: timeout})
		if err != nil {
			return err
		}
		if !ok {
			return installError(what, said+p.fetchErrors(ctx, e, env, said), dir)
		}
	}
	return nil
}

// what is installed, for messages: the file, or else the packages.
func (e recipe) what() string {
	return cmp.Or(e.with.File(), strings.Join(e.with.Packages, ", "))
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
		job.Quote(filepath.Join(env, "none")) + e.fileArguments(env) + e.packageArguments()
	more, _, err := p.run(ctx, nil, "query the package index", port.Command{Run: run, Timeout: probeTimeout})
	if err != nil {
		return "" // what is known already has to suffice
	}
	return "\n" + strings.Join(fetchErrorLine.FindAllString(more, -1), "\n")
}

// Files beside the environment that it is made from.
const (
	convertedName   = "requirements.txt"
	explicitName    = "explicit.txt" // conda knows it by its end
	constraintsName = "constraints.txt"
)

// writeFiles writes what a lock file was turned into.
func (e recipe) writeFiles(folder string) error {
	if e.files.locked == nil {
		return nil
	}
	err := os.WriteFile(filepath.Join(folder, convertedName), []byte(e.files.locked.requirements()), 0o600)
	if err == nil && len(e.files.locked.conda) > 0 {
		err = os.WriteFile(filepath.Join(folder, explicitName), []byte(e.files.locked.explicit()), 0o600)
	}
	return err
}

// create returns the command that creates an empty environment, or one with all that
// conda installs.
func (e recipe) create(env string) string {
	python := job.Quote(e.tool.Python.Executable)
	switch {
	case e.tool.Conda != "":
		return e.condaCreate(env, filepath.Join(filepath.Dir(env), explicitName))
	case e.tool.UV != "":
		return "uv venv --quiet --no-project --python " + python + " " + job.Quote(env)
	}
	return python + " -m venv " + job.Quote(env)
}

// installs returns the commands that fill it. They run in the file's folder. Packages
// are resolved together with a requirements file; where versions are locked, they
// come second, and change none of them.
func (e recipe) installs(env string) []string {
	python := job.Quote(filepath.Join(env, "bin", "python"))
	pip, freeze := python+" -m pip install --no-input --disable-pip-version-check --progress-bar off", python+" -m pip list --disable-pip-version-check --format=freeze"
	if e.tool.UV != "" {
		pip, freeze = "uv pip install --no-progress --python "+python, "uv pip freeze --python "+python
	}
	var first []string
	switch {
	case e.with.LockKind() == step.UVLock:
		first = []string{"UV_PROJECT_ENVIRONMENT=" + job.Quote(env) + " uv sync --locked --no-progress --no-install-workspace --python " + python}
	case e.files.locked != nil && len(e.files.locked.packages) > 0:
		first = []string{pip + " --no-deps --require-hashes" + e.fileArguments(env)}
	case e.files.locked != nil:
	case len(e.with.Packages) == 0 || e.files.hashed:
		first = []string{pip + e.fileArguments(env)}
	default:
		return []string{pip + e.fileArguments(env) + e.packageArguments()}
	}
	if len(e.with.Packages) == 0 {
		return first
	}
	constraints := job.Quote(filepath.Join(filepath.Dir(env), constraintsName))
	return append(first, freeze+" > "+constraints+" && "+pip+" -c "+constraints+e.packageArguments())
}

// fileArguments name the requirements file.
func (e recipe) fileArguments(env string) string {
	switch {
	case e.files.locked != nil:
		return " -r " + job.Quote(filepath.Join(filepath.Dir(env), convertedName))
	case e.with.File() == "":
		return ""
	}
	return " -r " + job.Quote("./"+path.Base(e.with.File()))
}

func (e recipe) packageArguments() string {
	if len(e.with.Packages) == 0 {
		return ""
	}
	return " " + job.QuoteAll(e.with.Packages)
}

// run runs one command of the installer and returns its output; ok reports
// whether it succeeded. The output goes to the log without the credentials that
// URLs may contain.
func (p runner) run(ctx context.Context, log io.Writer, what string, c port.Command) (said string, ok bool, err error) {
	out := newInstallerOutput(log)
	c.Dir, c.Env, c.Box = p.dir, p.environ, p.box
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

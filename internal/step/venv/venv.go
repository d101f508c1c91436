// Package venv creates isolated Python environments for commands, with uv if it
// is installed and with venv and pip otherwise. They are cached by what they were
// made from, complete or not at all, and steps that need the same one wait for
// each other.
package venv

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Manager creates environments. Safe for concurrent use, by several processes
// too.
type Manager struct {
	Commands port.Commands
	Clock    step.Clock
}

// Env is a complete environment. The zero value means none: commands use the
// Python in their PATH.
type Env struct {
	Dir string // absolute
}

// Spec describes the environment that a step needs.
type Spec struct {
	Python   *step.PythonParams // nil: no environment
	Checkout string             // absolute folder of the commit's tree
	Environ  []string           // of the command, complete; the installer uses it too
	Box      *port.Box          // of the command; the installer runs in one like it
}

// Ensure finds or creates the environment, below the request's CacheDir. What
// the repository specifies but can't be installed is fault.Failed or
// fault.Invalid; an index that does not respond, a missing interpreter and the
// like are fault.Unavailable, fault.Denied or fault.Exhausted: no verdict on the
// commit.
func (m Manager) Ensure(ctx context.Context, r step.Request, w Spec) (Env, error) {
	if w.Python == nil {
		return Env{}, nil
	}
	file := w.Python.File()
	wanted, err := readRequirements(w.Checkout, *w.Python)
	if err != nil {
		return Env{}, err
	}
	p := runner{Manager: m, dir: filepath.Join(w.Checkout, filepath.FromSlash(filepath.Dir(file))), environ: installerEnviron(w.Environ), box: w.Box}
	t, err := p.detectTool(ctx, *w.Python)
	if err != nil {
		return Env{}, err
	}
	e := recipe{tool: t, with: *w.Python, files: wanted}
	return m.findOrInstall(ctx, r, filepath.Join(cmp.Or(r.CacheDir, r.ArtifactsDir), "python", e.key()), func(ctx context.Context, env string) error {
		return p.install(ctx, r, e, env)
	})
}

// Environ returns list with the environment first in PATH.
func (e Env) Environ(list []string) []string {
	if e.Dir == "" {
		return list
	}
	path := filepath.Join(e.Dir, "bin")
	var out []string
	for _, kv := range list {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case "PATH":
			if value != "" {
				path += string(os.PathListSeparator) + value
			}
		case "VIRTUAL_ENV", "PYTHONHOME", "CONDA_PREFIX":
		default:
			out = append(out, kv)
		}
	}
	if _, err := os.Stat(filepath.Join(e.Dir, "conda-meta")); err == nil {
		return append(out, "PATH="+path, "CONDA_PREFIX="+e.Dir)
	}
	return append(out, "PATH="+path, "VIRTUAL_ENV="+e.Dir)
}

// InBox returns the box with the environment in it.
func (e Env) InBox(b *port.Box) *port.Box {
	if b == nil || e.Dir == "" {
		return b
	}
	with := *b
	with.Read = append(slices.Clone(b.Read), e.Dir)
	return &with
}

// IsFinal reports whether an error with an environment is a result of the step,
// and not the end of the run or a bug, which the engine handles.
func IsFinal(ctx context.Context, err error) bool {
	return ctx.Err() == nil && fault.KindOf(err) != fault.Internal // so is any error that is not a fault
}

// VerdictOf returns what an error with an environment means for the commit:
// failed if the commit is wrong, unavailable if that could not be determined.
func VerdictOf(err error) delivery.Verdict {
	if fault.Is(err, fault.Failed) || fault.Is(err, fault.Invalid) {
		return delivery.Failed
	}
	return delivery.Unavailable
}

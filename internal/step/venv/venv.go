// Package venv makes isolated Python environments for commands, by uv when it is
// there and else by venv and pip. They are kept by what they were made of, whole
// or not at all, and steps that want the same one wait for each other.
package venv

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Manager makes environments. Safe for concurrent use, by several processes too.
type Manager struct {
	Commands port.Commands
	Clock    step.Clock
}

// Env is an environment that is whole. The zero value stands for none: commands
// get the Python that they find.
type Env struct {
	Dir string // absolute
}

// Spec is what a step wants.
type Spec struct {
	Python   *step.PythonParams // nil: no environment
	Checkout string             // absolute folder of the commit's tree
	Environ  []string           // of the command, complete; the installer gets it too
}

// Ensure finds the environment or makes it, below the request's Artifacts. What
// the repository asks for and nobody can install is fault.Failed or
// fault.Invalid; an index that does not answer, a missing interpreter and the
// like are fault.Unavailable, fault.Denied or fault.Exhausted: they say nothing
// about the commit.
func (m Manager) Ensure(ctx context.Context, r step.Request, w Spec) (Env, error) {
	if w.Python == nil {
		return Env{}, nil
	}
	file := w.Python.File()
	wanted, err := readRequirements(w.Checkout, file)
	if err != nil {
		return Env{}, err
	}
	p := runner{Manager: m, dir: filepath.Join(w.Checkout, filepath.FromSlash(filepath.Dir(file))), environ: installerEnviron(w.Environ)}
	t, err := p.detectTool(ctx, *w.Python)
	if err != nil {
		return Env{}, err
	}
	e := recipe{tool: t, with: *w.Python, files: wanted}
	return m.findOrInstall(ctx, r, filepath.Join(r.ArtifactsDir, "python", e.key()), func(ctx context.Context, env string) error {
		return p.install(ctx, r, e, env)
	})
}

// Environ is list with the environment first in PATH.
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
		case "VIRTUAL_ENV", "PYTHONHOME":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "PATH="+path, "VIRTUAL_ENV="+e.Dir)
}

// IsFinal tells whether trouble with an environment is an answer, and not an end of
// the run or a bug, which the engine deals with.
func IsFinal(ctx context.Context, err error) bool {
	return ctx.Err() == nil && fault.KindOf(err) != fault.Internal // so is what is no fault at all
}

// VerdictOf is what trouble with an environment says about the commit: failed when
// the commit asks for what there is not, unavailable when nobody could tell.
func VerdictOf(err error) delivery.Verdict {
	if fault.Is(err, fault.Failed) || fault.Is(err, fault.Invalid) {
		return delivery.Failed
	}
	return delivery.Unavailable
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scaffold"
	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// InitOptions are the options of `slipway init`.
type InitOptions struct {
	Force bool   // overwrite the file
	From  string // pipeline to take from, relative to the folder; empty: none
}

// InitResult is the result of `slipway init`.
type InitResult struct {
	File     string               `json:"file,omitempty"` // none with Services
	Seen     string               `json:"seen"`
	Found    []scaffold.Finding   `json:"found"`
	Missing  []string             `json:"missing"`            // for the file to run
	Services []scaffold.Service   `json:"services,omitempty"` // of a repository that has several
	From     string               `json:"from,omitempty"`
	Flaws    []pipeline.Flaw      `json:"flaws,omitempty"` // of the pipeline
	Planned  delivery.Environment `json:"planned,omitempty"`
	Steps    int                  `json:"steps,omitempty"` // of that plan
}

// Init writes a slipway.yaml for the repository in the folder, and plans it right away.
// A repository with several services gets none: the result lists them.
func (a *App) Init(ctx context.Context, opts InitOptions) (InitResult, error) {
	path := filepath.Join(a.Dir, config.FileName)
	if _, err := os.Stat(path); err == nil && !opts.Force {
		return InitResult{}, fault.New(fault.Conflict, "%s already exists", path).Hint("overwrite it with --force")
	}
	with := scaffold.Options{Name: filepath.Base(a.Dir), Kinds: a.Kinds, LookPath: exec.LookPath, Git: gitFolder(a.Dir)}
	if opts.From != "" {
		p, err := a.readPipeline(opts.From)
		if err != nil {
			return InitResult{}, err
		}
		with.From = p
	}
	made, err := scaffold.Write(os.DirFS(a.Dir), with)
	if err != nil {
		return InitResult{}, err
	}
	out := InitResult{
		Seen: made.Summary, Found: slices.Concat([]scaffold.Finding{}, made.Found), Missing: slices.Concat([]string{}, made.Missing),
		Services: made.Services, From: opts.From, Flaws: made.Flaws,
	}
	if len(made.Services) > 0 {
		return out, nil
	}
	out.File = path
	if err := os.WriteFile(path, made.File, 0o644); err != nil {
		return out, fault.New(fault.Unavailable, "write %s", path).Cause(err)
	}
	a.planFirst(ctx, &out)
	return out, ctx.Err()
}

// gitFolder is the folder with .git at or above dir; nil if there is none.
func gitFolder(dir string) fs.FS {
	for ; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil && info.IsDir() {
			return os.DirFS(dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// readPipeline reads the file of a CI, which may lie outside of the service's folder.
func (a *App) readPipeline(file string) (*pipeline.Pipeline, error) {
	text, err := os.ReadFile(a.absolute(file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "%s not found", file).Hint("name a workflow such as .github/workflows/deploy.yml, or .gitlab-ci.yml")
	case err != nil:
		return nil, fault.New(fault.Invalid, "read %s", file).Cause(err)
	}
	return pipeline.Read(filepath.ToSlash(file), text)
}

// planFirst plans what a run to production would do: what would make it fail is
// missing.
func (a *App) planFirst(ctx context.Context, out *InitResult) {
	const env = "prod"
	p, err := a.Plan(ctx, RunOptions{Environment: env, AllowDirty: true})
	if err != nil {
		out.lack(err.Error(), fault.HintOf(err))
		return
	}
	for _, problem := range p.Problems {
		out.lack(problem.Text, problem.Hint)
	}
	if len(p.Problems) == 0 {
		out.Planned, out.Steps = env, len(p.Steps)
	}
}

// lack adds what a plan found missing.
func (r *InitResult) lack(text, hint string) {
	text = strings.ReplaceAll(text, "\n", "; ")
	if hint != "" {
		text += fmt.Sprintf(" (%s)", strings.ReplaceAll(hint, "\n", "; "))
	}
	if !slices.Contains(r.Missing, text) {
		r.Missing = append(r.Missing, text)
	}
}

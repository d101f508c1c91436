package app

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
)

// maxScriptBytes is how much of a script is looked at.
const maxScriptBytes = 1 << 20

// findScripts reads the scripts that the evaluation command names.
func (s *session) findScripts(_ context.Context, f *plan.Facts, env delivery.Environment) error {
	if model := s.project.In(env).Model; model != nil && model.Evaluate != nil {
		f.Scripts = s.scripts(*model.Evaluate)
	}
	return nil
}

// scripts reads files beside slipway.yaml, as far as they exist: it is only about a
// warning. Links out of the repository are not followed.
func (s *session) scripts(e config.Evaluate) map[string]string {
	names := plan.EvaluationScripts(e)
	if len(names) == 0 {
		return nil
	}
	root, err := os.OpenRoot(s.workspace.Repository)
	if err != nil {
		return nil
	}
	defer root.Close()
	out := map[string]string{}
	for _, name := range names {
		path := filepath.FromSlash(name)
		info, err := root.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		f, err := root.Open(path)
		if err != nil {
			continue
		}
		if text, err := io.ReadAll(io.LimitReader(f, maxScriptBytes)); err == nil {
			out[name] = string(text)
		}
		f.Close()
	}
	return out
}

// evaluationNotes are what people should know about the model's evaluation.
func (s *session) evaluationNotes(env delivery.Environment) []string {
	model := s.project.In(env).Model
	if model == nil || model.Evaluate == nil {
		return nil
	}
	return plan.EvaluationDoubts(*model.Evaluate, s.scripts(*model.Evaluate)).StatusNotes()
}

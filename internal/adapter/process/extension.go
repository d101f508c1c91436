package process

import (
	"context"
	"io"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/adapter/process/box"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// RunnerCommand is the internal command under which a job runs.
const RunnerCommand = "job-runner"

// Section is on.local in slipway.yaml: this machine.
type Section struct{}

// Extension describes the job runner to the catalog.
func Extension() extension.JobRunner {
	return extension.JobRunner{
		Kind: "local", Description: "This machine.", Example: "local: {}", Section: extension.SectionOf[Section](nil),
		New: func(h extension.Host, _ any) (port.Jobs, error) {
			jobs := NewJobs(filepath.Join(h.Home, "jobs"), h.Executable, RunnerCommand)
			jobs.Secret, jobs.Hide = h.ContainsSecret, Hidden(h.Repository, h.Home, h.Cache)
			return jobs, nil
		},
		Commands: []extension.Command{{Name: RunnerCommand, Run: func(_ context.Context, args []string, _ io.Writer) int {
			return RunJobProcess(args, func(secrets []string, w io.Writer) io.WriteCloser { return redact.New(secrets...).Writer(w) })
		}}, {Name: box.Command, Dumpable: true, Run: func(_ context.Context, args []string, _ io.Writer) int { return box.Run(args) }}},
	}
}

// Hidden returns the folders that commands in a box do not see: the repository, whose git
// configuration may hold a token, Slipway's state, and the caches of its projects.
func Hidden(repository, home, cache string) []string {
	return []string{repository, home, filepath.Dir(cache)}
}

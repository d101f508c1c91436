package fake

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/slipway-cd/slipway/internal/port"
)

// Shell runs commands with the machine's sh, without a process group.
type Shell struct{}

var _ port.Commands = Shell{}

// Run runs the command and waits.
func (Shell) Run(ctx context.Context, c port.Command, out io.Writer) (port.Exit, error) {
	timed, cancel := ctx, context.CancelFunc(func() {})
	if c.Timeout > 0 {
		timed, cancel = context.WithTimeout(ctx, c.Timeout)
	}
	defer cancel()
	cmd := exec.CommandContext(timed, "sh", "-c", c.Run)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, out, out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return port.Exit{}, context.Cause(ctx)
	case timed.Err() != nil:
		return port.Exit{Code: 137, TimedOut: true}, nil
	case errors.As(err, &exit):
		return port.Exit{Code: exit.ExitCode()}, nil
	}
	return port.Exit{}, err
}

// Jobs runs each job with Commands in the background of the test.
type Jobs struct {
	Commands port.Commands
	Logs     string // folder
	Fuse     *Fuse

	mu        sync.Mutex
	jobs      map[string]*work
	Submitted []string // names of jobs that were started, in order
	Stopped   []string
}

type work struct {
	state  port.JobState
	cancel context.CancelCauseFunc
	ended  chan struct{}
}

var _ port.Jobs = (*Jobs)(nil)

// Submit starts the job unless it is known.
func (j *Jobs) Submit(_ context.Context, o port.Job) error {
	defer j.Fuse.call()()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jobs == nil {
		j.jobs = map[string]*work{}
	}
	if j.jobs[o.Name] != nil {
		return nil
	}
	log, err := os.Create(filepath.Join(j.Logs, o.Name+".log"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Output, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w := &work{port.JobState{Found: true, Log: log.Name()}, cancel, make(chan struct{})}
	j.jobs[o.Name] = w
	j.Submitted = append(j.Submitted, o.Name)
	go func() {
		defer close(w.ended)
		exit, err := j.Commands.Run(ctx, o.Command, log)
		log.Close()
		j.mu.Lock()
		defer j.mu.Unlock()
		w.state.Done, w.state.Exit = true, exit
		if err != nil {
			w.state.Reason = err.Error()
		}
	}()
	return nil
}

// Poll tells where it stands.
func (j *Jobs) Poll(_ context.Context, name string) (port.JobState, error) {
	defer j.Fuse.call()()
	j.mu.Lock()
	defer j.mu.Unlock()
	if w := j.jobs[name]; w != nil {
		return w.state, nil
	}
	return port.JobState{}, nil
}

// Stop ends it, and waits for the end.
func (j *Jobs) Stop(_ context.Context, name string) error {
	defer j.Fuse.call()()
	j.mu.Lock()
	w := j.jobs[name]
	j.Stopped = append(j.Stopped, name)
	j.mu.Unlock()
	if w == nil {
		return nil
	}
	w.cancel(errors.New("stopped"))
	<-w.ended
	return nil
}

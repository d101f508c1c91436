package fake

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Jobs runs each job with Commands in the background of the test. Inputs and outputs
// are local files; a handle is the job's name.
type Jobs struct {
	Commands port.Commands
	Logs     string // folder
	Fuse     *Fuse

	mu        sync.Mutex
	jobs      map[port.JobHandle]*runningJob
	Submitted []string // names of jobs that were started, in order
	Stopped   []string
}

type runningJob struct {
	state  port.JobState
	cancel context.CancelCauseFunc
	ended  chan struct{}
}

var _ port.Jobs = (*Jobs)(nil)

// Mounts returns the local paths.
func (j *Jobs) Mounts(job port.Job) (map[string][]string, error) {
	mounts := map[string][]string{}
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return nil, err
		}
		mounts[name] = paths
	}
	for name, uri := range job.Outputs {
		path, err := port.FilePath(uri)
		if err != nil {
			return nil, err
		}
		mounts[name] = []string{path}
	}
	return mounts, nil
}

// Submit starts the job unless it is known.
func (j *Jobs) Submit(_ context.Context, job port.Job) (port.JobHandle, error) {
	defer j.Fuse.call()()
	j.mu.Lock()
	defer j.mu.Unlock()
	h := port.JobHandle(job.Name)
	if j.jobs == nil {
		j.jobs = map[port.JobHandle]*runningJob{}
	}
	if j.jobs[h] != nil {
		return h, nil
	}
	outputs, err := emptyOutputs(job)
	if err != nil {
		return "", err
	}
	log, err := os.Create(j.log(h))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w := &runningJob{port.JobState{Found: true, Outputs: outputs}, cancel, make(chan struct{})}
	j.jobs[h] = w
	j.Submitted = append(j.Submitted, job.Name)
	go func() {
		defer close(w.ended)
		exit, err := j.Commands.Run(ctx, job.Command, log)
		log.Close()
		j.mu.Lock()
		defer j.mu.Unlock()
		w.state.Done, w.state.Exit = true, exit
		if err != nil {
			w.state.Reason = err.Error()
		}
	}()
	return h, nil
}

func emptyOutputs(job port.Job) (map[string]port.Artifact, error) {
	outputs := map[string]port.Artifact{}
	for name, uri := range job.Outputs {
		path, err := port.FilePath(uri)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(os.RemoveAll(path), os.MkdirAll(path, 0o755)); err != nil {
			return nil, err
		}
		outputs[name] = port.FileArtifact("", path)
	}
	return outputs, nil
}

func (j *Jobs) log(h port.JobHandle) string { return filepath.Join(j.Logs, string(h)+".log") }

// Poll returns the job's state.
func (j *Jobs) Poll(_ context.Context, h port.JobHandle) (port.JobState, error) {
	defer j.Fuse.call()()
	j.mu.Lock()
	defer j.mu.Unlock()
	if w := j.jobs[h]; w != nil {
		return w.state, nil
	}
	return port.JobState{}, nil
}

// Log opens the job's log.
func (j *Jobs) Log(_ context.Context, h port.JobHandle, offset int64) (io.ReadCloser, error) {
	defer j.Fuse.call()()
	f, err := os.Open(j.log(h))
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	return f, err
}

// Stop ends the job, and waits for the end.
func (j *Jobs) Stop(_ context.Context, h port.JobHandle) error {
	defer j.Fuse.call()()
	j.mu.Lock()
	w := j.jobs[h]
	j.Stopped = append(j.Stopped, string(h))
	j.mu.Unlock()
	if w == nil {
		return nil
	}
	w.cancel(errors.New("stopped"))
	<-w.ended
	return nil
}

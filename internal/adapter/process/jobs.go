package process

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Jobs fulfils port.Jobs with processes of this machine. Safe for concurrent use,
// also by several processes.
type Jobs struct {
	// Secret reports which values of a job's environment must not get into its log;
	// nil: none. The runner masks them, see RunJobProcess.
	Secret func(value string) bool
	Hide   []string // absolute folders that a job in a box does not see

	dir    string
	runner []string // command line of the runner, without the job's folder
	grace  time.Duration
}

var _ port.Jobs = (*Jobs)(nil)

// NewJobs keeps jobs in dir. To run one it starts the executable with args and
// the job's folder; that program must call RunJobProcess. args name a hidden command of
// it: NewJobs(dir, self, "job-runner").
func NewJobs(dir, executable string, args ...string) *Jobs {
	return &Jobs{dir: dir, runner: append([]string{executable}, args...), grace: 5 * time.Second}
}

func (j *Jobs) folder(h port.JobHandle) (string, error) {
	name := string(h)
	if !jobName.MatchString(name) || strings.Contains(name, "..") {
		return "", fault.New(fault.Invalid, "%q is not a valid job name", name).Hint("use at most 128 letters, digits and the characters . _ -")
	}
	dir, err := filepath.Abs(j.dir)
	return filepath.Join(dir, name), err
}

// Mounts returns the local paths of the inputs and outputs: they are used in place.
func (j *Jobs) Mounts(job port.Job) (map[string][]string, error) {
	mounts := map[string][]string{}
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return nil, fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		mounts[name] = paths
	}
	for name, uri := range job.Outputs {
		path, err := port.FilePath(uri)
		if err != nil {
			return nil, fmt.Errorf("job %s: output %s: %w", job.Name, name, err)
		}
		mounts[name] = []string{path}
	}
	return mounts, nil
}

// Submit starts the job unless it is known. Its handle is its name.
func (j *Jobs) Submit(ctx context.Context, job port.Job) (port.JobHandle, error) {
	handle := port.JobHandle(job.Name)
	folder, err := j.folder(handle)
	if err != nil {
		return "", err
	}
	act := "submit job " + job.Name
	if ctx.Err() != nil {
		return handle, fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	if wasStarted(folder) {
		return handle, nil
	}
	if err := checkSystem(); err != nil {
		return "", fmt.Errorf("%s: %w", act, err)
	}
	if err := j.checkJob(job); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, submitLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	defer lock.Close()
	if err := flock.LockFile(ctx, lock, nil); err != nil {
		return "", fmt.Errorf("%s: %w", act, err)
	}
	if wasStarted(folder) {
		return handle, nil
	}
	if err := j.startJob(folder, job); err != nil {
		return handle, fmt.Errorf("%s: %w", act, err)
	}
	return handle, nil
}

// wasStarted reports whether the job was started once.
func wasStarted(folder string) bool {
	return fileExists(folder, startedFile) || fileExists(folder, statusFile)
}

// startJob empties the job's outputs and starts its runner.
func (j *Jobs) startJob(folder string, job port.Job) error {
	s := jobSpec{Name: job.Name, Run: job.Command.Run, Dir: job.Command.Dir, Timeout: job.Command.Timeout, Outputs: job.Outputs, Box: job.Command.Box, Hide: j.Hide}
	for _, name := range slices.Sorted(maps.Keys(job.Outputs)) {
		path, err := port.FilePath(job.Outputs[name])
		if err != nil {
			return err
		}
		if s.Output == "" {
			s.Output = path
		}
		if err := emptyFolder(path); err != nil {
			return fault.New(fault.FileKind(err), "empty the output folder %s", path).Cause(err)
		}
	}
	if err := writeJSON(folder, specFile, s); err != nil {
		return fault.New(fault.FileKind(err), "write %s", specFile).Cause(err)
	}
	if err := launchRunner(j.runner, folder, job.Command.Env, j.secretVariables(job.Command.Env)); err != nil {
		return fault.New(fault.Unavailable, "start the job's runner").Cause(err)
	}
	return nil
}

// secretVariables are the names of the variables in env that hold secrets.
func (j *Jobs) secretVariables(env []string) []string {
	var names []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if j.Secret != nil && j.Secret(value) {
			names = append(names, name)
		}
	}
	return names
}

// emptyFolder makes path an empty folder: what an earlier, unknown job left must not
// pass for this one's output.
func emptyFolder(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

// checkJob refuses a job that cannot run, before anything of it is stored.
func (j *Jobs) checkJob(job port.Job) error {
	if info, err := os.Stat(job.Command.Dir); err != nil || !info.IsDir() || !filepath.IsAbs(job.Command.Dir) {
		return fault.New(fault.Invalid, "job %s: folder %s not found", job.Name, job.Command.Dir)
	}
	mounts, err := j.Mounts(job)
	if err != nil {
		return err
	}
	for name := range job.Inputs {
		for _, path := range mounts[name] {
			if _, err := os.Stat(path); err != nil {
				return fault.New(fault.NotFound, "job %s: input %s", job.Name, path).Cause(err)
			}
		}
	}
	return nil
}

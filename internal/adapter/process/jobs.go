package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Files in a job's folder. Whether a job is known, running or over is told by
// them alone, so that any process can tell.
const (
	specFile    = "spec.json"    // what to run, without its environment
	startedFile = "started.json" // who runs it
	statusFile  = "status.json"  // how it ended
	logFile     = "log"          //
	stopFile    = "stop"         // somebody asked it to end
	submitLock  = "submit.lock"  // held while it is submitted
	claimLock   = "claim.lock"   // held by the process that runs it, for as long as that lives
	marker      = "SLIPWAY_JOB"  // in the environment of all its processes: the folder
)

var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// spec is what to run. Its environment is not here: it may hold secrets.
type spec struct {
	Name    string        `json:"name"`
	Run     string        `json:"run"`
	Dir     string        `json:"dir"`
	Timeout time.Duration `json:"timeout_ns"`
	Output  string        `json:"output"`
}

// started tells who runs the job. A process is named by its ID, when it started,
// and the machine's boot.
type started struct {
	PID   int    `json:"pid"`
	Since uint64 `json:"since"` // in the kernel's ticks; 0: unknown
	Boot  string `json:"boot"`
}

// status is how the job ended.
type status struct {
	Exit   port.Exit `json:"exit"`
	Reason string    `json:"reason,omitempty"`
	Ended  time.Time `json:"ended"`
}

// Jobs fulfils port.Jobs with processes of this machine. Safe for concurrent use,
// also by several processes.
type Jobs struct {
	// Secret tells which values of a job's environment must not get into its log;
	// nil: none. The runner is told their names, see RunJobProcess.
	Secret func(value string) bool

	dir        string
	executable string
	args       []string
	grace      time.Duration
}

var _ port.Jobs = (*Jobs)(nil)

// NewJobs keeps jobs in dir. To run one it starts the executable with args and
// the job's folder; that program must call RunJobProcess. args name a hidden command of
// it: NewJobs(dir, self, "job-runner").
func NewJobs(dir, executable string, args ...string) *Jobs {
	return &Jobs{dir: dir, executable: executable, args: args, grace: 5 * time.Second}
}

func (j *Jobs) folder(name string) (string, error) {
	if !jobName.MatchString(name) || strings.Contains(name, "..") {
		return "", fault.New(fault.Invalid, "%q is no name for a job", name).Hint("letters, digits and . _ -, at most 128 of them")
	}
	dir, err := filepath.Abs(j.dir)
	return filepath.Join(dir, name), err
}

// Submit starts the job unless it is known.
func (j *Jobs) Submit(ctx context.Context, job port.Job) error {
	folder, err := j.folder(job.Name)
	if err != nil {
		return err
	}
	act := "submit job " + job.Name
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	if err := ready(job); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fault.New(kindOf(err), "%s", act).Cause(err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, submitLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fault.New(kindOf(err), "%s", act).Cause(err)
	}
	defer lock.Close()
	if err := waitLock(lock); err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	if exists(folder, startedFile) || exists(folder, statusFile) {
		return nil
	}
	s := spec{job.Name, job.Command.Run, job.Command.Dir, job.Command.Timeout, job.Output}
	if err := writeJSON(folder, specFile, s); err != nil {
		return fault.New(kindOf(err), "%s", act).Cause(err)
	}
	if err := j.launch(folder, job.Command.Env); err != nil {
		return fault.New(fault.Unavailable, "%s", act).Cause(err)
	}
	return nil
}

// ready looks at what the job needs, while there is somebody to tell.
func ready(job port.Job) error {
	if info, err := os.Stat(job.Command.Dir); err != nil || !info.IsDir() || !filepath.IsAbs(job.Command.Dir) {
		return fault.New(fault.Invalid, "job %s: there is no folder %s", job.Name, job.Command.Dir)
	}
	for _, in := range job.Inputs {
		if _, err := os.Stat(in); err != nil {
			return fault.New(fault.NotFound, "job %s: its input %s", job.Name, in).Cause(err)
		}
	}
	if job.Output == "" {
		return nil
	}
	if !filepath.IsAbs(job.Output) {
		return fault.New(fault.Invalid, "job %s: its output folder %q is not absolute", job.Name, job.Output)
	}
	if err := os.MkdirAll(job.Output, 0o755); err != nil {
		return fault.New(kindOf(err), "job %s: its output folder", job.Name).Cause(err)
	}
	return nil
}

// Poll tells where the job stands. One whose runner died is ended here for good,
// so that Done means that nothing of it runs.
func (j *Jobs) Poll(ctx context.Context, name string) (port.JobState, error) {
	folder, err := j.folder(name)
	if err != nil {
		return port.JobState{}, err
	}
	if ctx.Err() != nil {
		return port.JobState{}, fmt.Errorf("look at job %s: %w", name, context.Cause(ctx))
	}
	state := port.JobState{Log: filepath.Join(folder, logFile)}
	if done, err := j.ended(folder, &state); done || err != nil {
		return state, err
	}
	who, ok, err := readStarted(folder)
	if err != nil || !ok {
		return port.JobState{}, err // nobody took it: submit it (again)
	}
	state.Found = true
	alive, release, err := running(folder)
	if err != nil || alive {
		return state, err
	}
	defer release()
	// It may have ended between the two looks.
	if done, err := j.ended(folder, &state); done || err != nil {
		return state, err
	}
	reason := "its runner was killed (kill -9, or out of memory)"
	if who.Boot != bootID() {
		reason = "the machine went down while it ran"
	}
	if err := j.bury(ctx, folder, who, reason); err != nil {
		return state, err
	}
	_, err = j.ended(folder, &state)
	return state, err
}

// ended reads how the job ended, if it did.
func (j *Jobs) ended(folder string, state *port.JobState) (bool, error) {
	var s status
	ok, err := readJSON(folder, statusFile, &s)
	if err != nil || !ok {
		return false, err
	}
	state.Found, state.Done, state.Exit, state.Reason = true, true, s.Exit, s.Reason
	return true, nil
}

// Stop ends the job with all its processes, also those whose runner is gone or
// that left its session.
func (j *Jobs) Stop(ctx context.Context, name string) error {
	folder, err := j.folder(name)
	if err != nil {
		return err
	}
	who, ok, err := readStarted(folder)
	if err != nil || !ok {
		return err
	}
	if exists(folder, statusFile) {
		return endAll(ctx, folder, who, 0)
	}
	if err := os.WriteFile(filepath.Join(folder, stopFile), nil, 0o600); err != nil {
		return fault.New(kindOf(err), "stop job %s", name).Cause(err)
	}
	if alive(who) {
		signalRunner(who)
	}
	if err := awaitStatus(ctx, folder, j.grace+2*time.Second); err != nil {
		return fmt.Errorf("stop job %s: %w", name, err)
	}
	return j.bury(ctx, folder, who, stoppedReason)
}

// bury ends what is left of the job and says how it ended, unless that is said.
func (j *Jobs) bury(ctx context.Context, folder string, who started, reason string) error {
	if err := endAll(ctx, folder, who, j.grace); err != nil {
		return err
	}
	if exists(folder, stopFile) {
		reason = stoppedReason
	}
	if exists(folder, statusFile) {
		return nil
	}
	return writeJSON(folder, statusFile, status{Exit: port.Exit{Code: 128 + 9}, Reason: reason, Ended: time.Now().UTC()})
}

// awaitStatus waits for the runner to say how the job ended, or to die.
func awaitStatus(ctx context.Context, folder string, most time.Duration) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.After(most); !exists(folder, statusFile); {
		isAlive, release, err := running(folder)
		if err != nil {
			return err
		}
		if !isAlive {
			release()
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		case <-again.C:
		}
	}
	return nil
}

// running tells whether the job's runner lives. If not, release must be called.
func running(folder string) (alive bool, release func(), err error) {
	f, err := os.OpenFile(filepath.Join(folder, claimLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, nil, fault.New(kindOf(err), "look at the job in %s", folder).Cause(err)
	}
	free, err := tryLock(f)
	if err != nil || !free {
		f.Close()
		return true, nil, err
	}
	return false, func() { f.Close() }, nil
}

func kindOf(err error) fault.Kind {
	switch {
	case fullDisk(err):
		return fault.Exhausted
	case errors.Is(err, fs.ErrPermission):
		return fault.Denied
	}
	return fault.Internal
}

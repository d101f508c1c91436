package port

import (
	"context"
	"io"
	"time"
)

// Command is a shell command of the user's.
type Command struct {
	Run     string   // for `sh -c`
	Dir     string   // absolute
	Env     []string // complete environment, "K=V"
	Timeout time.Duration
}

// Exit tells how a command ended.
type Exit struct {
	Code     int // 128+n when killed by signal n
	TimedOut bool
}

// Commands runs commands here and now.
type Commands interface {
	// Run starts the command in a process group of its own, copies its standard
	// output and error to out, and waits. A non-zero exit is no error. When ctx
	// ends, the whole group gets SIGTERM, then SIGKILL, and the error is the
	// context's cause. The command does not outlive the calling process.
	Run(ctx context.Context, c Command, out io.Writer) (Exit, error)
}

// Job is heavy work (training, evaluation) under a deterministic name.
type Job struct {
	Name    string // "<run>-<step>-<attempt>"
	Command Command
	Inputs  []string // absolute paths that it reads
	Output  string   // absolute folder that it fills; made when missing
}

// JobState is where a job stands.
type JobState struct {
	Found  bool
	Done   bool
	Exit   Exit
	Log    string // path of its output so far; grows while it runs
	Reason string // why it ended, when it was not its own exit
}

// Jobs submits heavy work and polls it, so that it survives its submitter.
type Jobs interface {
	// Submit starts the job unless one of that name is known; then it does
	// nothing. After kill -9 of the submitter the job goes on.
	Submit(ctx context.Context, j Job) error
	// Poll tells where the job stands; an unknown name is Found == false. A job
	// whose machine went down under it is Done with a Reason.
	Poll(ctx context.Context, name string) (JobState, error)
	// Stop ends the job and all its processes; an unknown or ended one is fine.
	Stop(ctx context.Context, name string) error
}

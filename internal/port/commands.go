package port

import (
	"context"
	"io"
	"time"
)

// Command is one of the user's shell commands.
type Command struct {
	Run     string   // for `sh -c`
	Dir     string   // absolute
	Env     []string // complete environment, "K=V"
	Timeout time.Duration
}

// Exit is how a command ended.
type Exit struct {
	Code     int // 128+n when killed by signal n
	TimedOut bool
}

// Commands runs commands that end with the calling process.
type Commands interface {
	// Run starts the command in its own process group, copies its standard output
	// and error to out, and waits. A non-zero exit is not an error. When ctx ends,
	// the whole group gets SIGTERM, then SIGKILL, and the error is the context's
	// cause. The command does not outlive the calling process.
	Run(ctx context.Context, c Command, out io.Writer) (Exit, error)
}

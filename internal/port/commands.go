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
	Box     *Box // nil: it runs as the user of Slipway, with all that this user may do
}

// Box is what a command in a box may write and read below folders that are hidden from
// it: the homes of users, the repository, Slipway's state. All paths are absolute. The
// other file systems of the machine are there, read-only; processes and memory are not.
type Box struct {
	Write []string `json:"write,omitempty"`
	Read  []string `json:"read,omitempty"`
	Cache string   `json:"cache,omitempty"` // folder with the caches of the command's home, which outlive it; empty: none do
}

// Exit is how a command ended.
type Exit struct {
	Code     int // 128+n when killed by signal n
	TimedOut bool
}

// BoxChecker is implemented by Commands that can run commands in a box.
type BoxChecker interface {
	// CheckBox returns an error of kind fault.Denied that says why this machine can't
	// make a box, or nil.
	CheckBox(ctx context.Context) error
}

// Commands runs commands that end with the calling process.
type Commands interface {
	// Run starts the command in its own process group, copies its standard output
	// and error to out, and waits. A non-zero exit is not an error. When ctx ends,
	// the whole group gets SIGTERM, then SIGKILL, and the error is the context's
	// cause. The command does not outlive the calling process. Where the machine
	// can't make the Box that the command asks for, it is fault.Denied, and nothing
	// ran.
	Run(ctx context.Context, c Command, out io.Writer) (Exit, error)
}

// Package process runs the user's commands on this machine: those that end with
// this process (Commands), and those that outlive it (Jobs).
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of Commands; the zero value is useful.
type Config struct {
	Grace time.Duration // between SIGTERM and SIGKILL; default 5 s
	Drain time.Duration // for what a command left running in the background; default 2 s
}

// Commands fulfils port.Commands. Safe for concurrent use.
type Commands struct {
	c Config
}

var _ port.Commands = (*Commands)(nil)

// NewCommands makes Commands.
func NewCommands(c Config) *Commands {
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Drain == 0 {
		c.Drain = 2 * time.Second
	}
	return &Commands{c: c}
}

// Run runs the command in a group of its own and ends the whole group: what it
// leaves in the background goes too.
func (r *Commands) Run(ctx context.Context, c port.Command, out io.Writer) (port.Exit, error) {
	if ctx.Err() != nil {
		return port.Exit{}, fmt.Errorf("run %s: %w", brief(c.Run), context.Cause(ctx))
	}
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		return port.Exit{}, fault.New(fault.Invalid, "run %s: folder %s not found", brief(c.Run), c.Dir)
	}
	p, err := start(c, out, flock.Inherited(ctx))
	if err != nil {
		return port.Exit{}, fault.New(fault.Unavailable, "run %s", brief(c.Run)).Cause(err)
	}
	timer := time.NewTimer(limit(c.Timeout))
	defer timer.Stop()
	timedOut := false
	select {
	case <-p.ended:
	case <-timer.C:
		timedOut = true
		p.end(r.c.Grace)
	case <-ctx.Done():
		p.end(r.c.Grace)
	}
	copied := p.drain(r.c.Drain)
	if ctx.Err() != nil && !timedOut {
		return port.Exit{}, fmt.Errorf("run %s: %w", brief(c.Run), context.Cause(ctx))
	}
	if copied != nil {
		return port.Exit{}, fmt.Errorf("write the output of %s: %w", brief(c.Run), copied)
	}
	return port.Exit{Code: p.code, TimedOut: timedOut}, nil
}

func limit(d time.Duration) time.Duration {
	if d <= 0 {
		return 1<<63 - 1
	}
	return d
}

// brief is the command for an error: its beginning, quoted.
func brief(run string) string {
	if len(run) > 60 {
		run = run[:57] + "..."
	}
	return fmt.Sprintf("%q", run)
}

// proc is a running command.
type proc struct {
	cmd    *exec.Cmd
	ended  chan struct{} // the command itself, not what it left behind
	code   int           // once ended
	copied chan error    // nil when it writes to a file by itself
	pipe   *os.File      // our end of it
	guard  *guard
}

// gate holds the command back until its guard is there. When we are killed before,
// nothing is read, and nothing has begun.
const gate = `read -r _ <&3 || exit 125; exec 3<&-; exec /bin/sh -c "$1"`

// start starts it. The thread that starts a process must stay for as long as
// that runs: its end would be the process's, which asked the kernel to end with
// its parent, and the kernel means the thread. The guard inherits the locks, not
// the command: a daemon that left the group would keep them for ever.
func start(c port.Command, out io.Writer, locks []*os.File) (*proc, error) {
	p := &proc{cmd: exec.Command("/bin/sh", "-c", gate, "sh", c.Run), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = c.Dir, append([]string{}, c.Env...)
	p.cmd.SysProcAttr = ownGroup()
	wait, open, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer wait.Close()
	defer open.Close()
	p.cmd.ExtraFiles = []*os.File{wait}
	theirs, err := p.output(out)
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		if theirs != nil {
			theirs.Close()
		}
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the state tells
			p.code = exitCode(p.cmd.ProcessState)
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		if p.pipe != nil {
			p.pipe.Close()
		}
		return nil, err
	}
	p.guard = newGuard(p.cmd.Process.Pid, locks)
	_, _ = io.WriteString(open, "go\n") // who is gone already has an exit code
	return p, nil
}

// output connects the command with out. The pipe is ours and not the library's,
// so that a grandchild that keeps it open does not block the caller.
func (p *proc) output(out io.Writer) (theirs *os.File, err error) {
	if f, ok := out.(*os.File); ok {
		p.cmd.Stdout, p.cmd.Stderr = f, f
		return nil, nil
	}
	p.pipe, theirs, err = os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = theirs, theirs
	p.copied = make(chan error, 1)
	go func() {
		_, err := io.Copy(out, p.pipe)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			_, _ = io.Copy(io.Discard, p.pipe) // the command must not block on it
		} else {
			err = nil
		}
		p.copied <- err
	}()
	return theirs, nil
}

// end asks the group to end, then makes it.
func (p *proc) end(grace time.Duration) {
	signalGroup(p.cmd.Process.Pid, false)
	select {
	case <-p.ended:
	case <-time.After(grace):
		signalGroup(p.cmd.Process.Pid, true)
		<-p.ended
	}
}

// drain waits for the rest of the output, and ends what is left of the group. It
// returns the error of writing the output.
func (p *proc) drain(patience time.Duration) error {
	defer p.guard.dismiss()
	var err error
	got := p.wait(patience/4, &err)
	if groupAlive(p.cmd.Process.Pid) {
		signalGroup(p.cmd.Process.Pid, false)
		awaitGroup(p.cmd.Process.Pid, patience)
		signalGroup(p.cmd.Process.Pid, true)
		awaitGroup(p.cmd.Process.Pid, maxDeath)
	}
	if !got && !p.wait(patience, &err) {
		p.pipe.Close() // whoever has it left the group; the copier ends
		p.wait(patience, &err)
	}
	if p.pipe != nil {
		p.pipe.Close()
	}
	return err
}

func (p *proc) wait(d time.Duration, err *error) bool {
	if p.copied == nil {
		return true
	}
	select {
	case *err = <-p.copied:
		return true
	case <-time.After(d):
		return false
	}
}

// awaitGroup waits until the group is gone, or for so long.
func awaitGroup(pid int, most time.Duration) {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.After(most); groupAlive(pid); {
		select {
		case <-end:
			return
		case <-again.C:
		}
	}
}

// maxDeath is how long a group may take to be gone after SIGKILL. It takes longer
// only when it hangs in the kernel.
const maxDeath = 5 * time.Second

// guard is a process that ends the group when this process is killed: the
// kernel's own help for that reaches the shell, but not what the shell started.
// It stays until the group is gone, and holds the locks for so long.
type guard struct {
	cmd  *exec.Cmd
	ours *os.File
	once sync.Once
}

const guardScript = `trap "" HUP INT TERM
read -r _
await() {
	n=0
	while kill -0 "-$1" && [ $n -lt "$2" ]; do n=$((n+1)); sleep 0.05; done
}
kill -TERM "-$1"; await "$1" 20
kill -KILL "-$1"; await "$1" 100
`

func newGuard(pid int, locks []*os.File) *guard {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return &guard{}
	}
	defer theirs.Close()
	cmd := exec.Command("/bin/sh", "-c", guardScript, "guard", fmt.Sprint(pid))
	cmd.ExtraFiles = locks
	cmd.Stdin, cmd.Env, cmd.Dir, cmd.SysProcAttr = theirs, []string{"PATH=/usr/bin:/bin"}, "/", guardGroup()
	if err := cmd.Start(); err != nil {
		ours.Close()
		return &guard{}
	}
	return &guard{cmd: cmd, ours: ours}
}

// dismiss ends the guard before it can act.
func (g *guard) dismiss() {
	if g.cmd == nil {
		return
	}
	g.once.Do(func() {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
		g.ours.Close()
	})
}

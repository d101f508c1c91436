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
	Hide  []string      // absolute folders that a command in a box does not see
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
		return port.Exit{}, fmt.Errorf("run %s: %w", abbreviate(c.Run), context.Cause(ctx))
	}
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		return port.Exit{}, fault.New(fault.Invalid, "run %s: folder %s not found", abbreviate(c.Run), c.Dir)
	}
	p, err := r.start(c, out, flock.Inherited(ctx))
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Internal) {
		return port.Exit{}, err
	}
	if err != nil {
		return port.Exit{}, fault.New(fault.Unavailable, "run %s", abbreviate(c.Run)).Cause(err)
	}
	timer := time.NewTimer(timeoutOrNone(c.Timeout))
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
		return port.Exit{}, fmt.Errorf("run %s: %w", abbreviate(c.Run), context.Cause(ctx))
	}
	if copied != nil {
		return port.Exit{}, fmt.Errorf("write the output of %s: %w", abbreviate(c.Run), copied)
	}
	return port.Exit{Code: p.code, TimedOut: timedOut}, nil
}

func timeoutOrNone(d time.Duration) time.Duration {
	if d <= 0 {
		return 1<<63 - 1
	}
	return d
}

// abbreviate returns the beginning of a command, quoted, for an error message.
func abbreviate(run string) string {
	if len(run) > 60 {
		run = run[:57] + "..."
	}
	return fmt.Sprintf("%q", run)
}

// runningCommand is a running command.
type runningCommand struct {
	cmd      *exec.Cmd
	ended    chan struct{} // the command itself, not what it left behind
	code     int           // once ended
	copied   chan error    // nil when it writes to a file by itself
	pipe     *os.File      // this process's end of the output
	watchdog *watchdog
}

// barrierScript holds the command back until its watchdog runs. If this process is
// killed before, the read fails, and the command never starts.
const barrierScript = `read -r _ <&3 || exit 125; exec 3<&-; exec /bin/sh -c "$1"`

// start starts the command. The thread that starts a process must live as long
// as the process: the kernel sends the parent-death signal when that thread ends. The
// watchdog inherits the locks, and the command does not: a daemon that left the group
// would hold them for ever.
func (r *Commands) start(c port.Command, out io.Writer, locks []*os.File) (*runningCommand, error) {
	p := &runningCommand{cmd: exec.Command("/bin/sh", "-c", barrierScript, "sh", c.Run), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = c.Dir, append([]string{}, c.Env...)
	p.cmd.SysProcAttr = commandAttr()
	barrier, release, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer barrier.Close()
	defer release.Close()
	p.cmd.ExtraFiles = []*os.File{barrier}
	boxed, err := r.intoBox(c.Box, p.cmd)
	if err != nil {
		return nil, err
	}
	defer boxed.close()
	output, err := p.connectOutput(out)
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		if output != nil {
			output.Close()
		}
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // its error says no more than the state
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
	p.watchdog = startWatchdog(p.cmd.Process.Pid, locks)
	if err := boxed.ready(); err != nil {
		<-p.ended
		_ = p.drain(r.c.Drain) // nothing was written
		return nil, err
	}
	_, _ = io.WriteString(release, "go\n") // a command that is gone already has an exit code
	return p, nil
}

// connectOutput connects the command with out. The pipe is not os/exec's,
// so that a grandchild that keeps it open does not block the caller.
func (p *runningCommand) connectOutput(out io.Writer) (childEnd *os.File, err error) {
	if f, ok := out.(*os.File); ok {
		p.cmd.Stdout, p.cmd.Stderr = f, f
		return nil, nil
	}
	p.pipe, childEnd, err = os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = childEnd, childEnd
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
	return childEnd, nil
}

// end sends SIGTERM to the group, and SIGKILL after the grace period.
func (p *runningCommand) end(grace time.Duration) {
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
func (p *runningCommand) drain(maxWait time.Duration) error {
	defer p.watchdog.stop()
	var err error
	copied := p.wait(maxWait/4, &err)
	if groupAlive(p.cmd.Process.Pid) {
		signalGroup(p.cmd.Process.Pid, false)
		awaitGroup(p.cmd.Process.Pid, maxWait)
		signalGroup(p.cmd.Process.Pid, true)
		awaitGroup(p.cmd.Process.Pid, maxKill)
	}
	if !copied && !p.wait(maxWait, &err) {
		p.pipe.Close() // whoever has it left the group; the copier ends
		p.wait(maxWait, &err)
	}
	if p.pipe != nil {
		p.pipe.Close()
	}
	return err
}

func (p *runningCommand) wait(d time.Duration, err *error) bool {
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

// awaitGroup waits until the group is gone, at most for maxWait.
func awaitGroup(pid int, maxWait time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(maxWait); groupAlive(pid); {
		select {
		case <-end:
			return
		case <-tick.C:
		}
	}
}

// maxKill is how long a group may take to be gone after SIGKILL. It takes longer
// only when it hangs in the kernel.
const maxKill = 5 * time.Second

// watchdog is a process that ends the group when this process is killed: the
// parent-death signal reaches the shell, but not what the shell started. It lives
// until the group is gone, and holds the locks until then.
type watchdog struct {
	cmd   *exec.Cmd
	stdin *os.File
	once  sync.Once
}

const watchdogScript = `trap "" HUP INT TERM
read -r _
await() {
	n=0
	while kill -0 "-$1" && [ $n -lt "$2" ]; do n=$((n+1)); sleep 0.05; done
}
kill -TERM "-$1"; await "$1" 20
kill -KILL "-$1"; await "$1" 100
`

func startWatchdog(pid int, locks []*os.File) *watchdog {
	reader, writer, err := os.Pipe()
	if err != nil {
		return &watchdog{}
	}
	defer reader.Close()
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "watchdog", fmt.Sprint(pid))
	cmd.ExtraFiles = locks
	cmd.Stdin, cmd.Env, cmd.Dir, cmd.SysProcAttr = reader, []string{"PATH=/usr/bin:/bin"}, "/", watchdogAttr()
	if err := cmd.Start(); err != nil {
		writer.Close()
		return &watchdog{}
	}
	return &watchdog{cmd: cmd, stdin: writer}
}

// stop ends the watchdog before it can act.
func (w *watchdog) stop() {
	if w.cmd == nil {
		return
	}
	w.once.Do(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
		w.stdin.Close()
	})
}

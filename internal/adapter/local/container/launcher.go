//go:build linux

package container

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Launcher is a Starter for a process that holds secrets, and is not dumpable: the kernel
// lets no process write the user map of such a process's child (see package dumpable). It
// starts this program again, without secrets, and that process starts the containers.
// What they may know goes to them through pipes, of which it passes the ends on.
//
// The process ends with this one, and its children with it. If it ends before, they do,
// too, and it is started again.
type Launcher struct {
	dir     string
	spawner *Spawner

	mu      sync.Mutex
	held    map[string]*os.File
	current *session // nil: the process has ended
	closed  bool
}

// NewLauncher returns a Launcher for the containers of a state folder. Its process starts
// with the first one.
func NewLauncher(dir string) *Launcher {
	return &Launcher{dir: dir, spawner: NewSpawner(), held: map[string]*os.File{}}
}

// Start starts the command. See Starter.
func (l *Launcher) Start(cmd *exec.Cmd) (Child, error) {
	l.mu.Lock()
	s, err := l.session()
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.start(cmd)
}

// Hold keeps the file open in the launcher's process, in place of an earlier one of that
// name: other processes of the user can't look into this one. The file belongs to the
// Launcher from then on.
func (l *Launcher) Hold(name string, f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.held[name]; before != nil {
		before.Close()
	}
	l.held[name] = f
	if l.current == nil { // which is given all of them
		_, err := l.session()
		return err
	}
	return l.current.hold(name, f)
}

// Close ends the process, and what it has started.
func (l *Launcher) Close() {
	l.mu.Lock()
	s := l.current
	l.closed, l.current = true, nil
	l.mu.Unlock()
	if s != nil {
		s.end()
	}
}

// session returns the connection to the process, and starts one if none runs. The caller
// holds mu.
func (l *Launcher) session() (*session, error) {
	if l.current != nil {
		return l.current, nil
	}
	if l.closed {
		return nil, fault.New(fault.Unavailable, "start a container: the supervisor is exiting")
	}
	conn, theirs, err := socketPair("launcher")
	if err != nil {
		return nil, err
	}
	cmd := launcherCommand("--dir", l.dir)
	cmd.ExtraFiles = []*os.File{theirs}
	child, err := l.spawner.Start(cmd)
	theirs.Close()
	if err != nil {
		return nil, errors.Join(fault.New(fault.FileKind(err), "start the process that starts containers").Cause(err), conn.Close())
	}
	s, err := newSession(conn, child)
	if err != nil {
		return nil, fault.New(fault.Internal, "start the process that starts containers").Cause(err)
	}
	for name, f := range l.held {
		if err := s.hold(name, f); err != nil {
			s.end()
			return nil, err
		}
	}
	l.current = s
	go l.restart(s)
	return s, nil
}

// launcherCommand returns the command of a launcher's process. What it says is an
// internal error, for the supervisor's log.
func launcherCommand(args ...string) *exec.Cmd {
	return &exec.Cmd{
		// Not the path on disk, which an upgrade may have replaced.
		Path: "/proc/self/exe", Args: append([]string{"slipway", LaunchCommand}, args...), Env: []string{"GOMAXPROCS=1"}, Dir: "/", Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
}

// restartPause is the time between the end of a launcher's process and its next start: one
// that ends at once must not take the machine's time.
const restartPause = 100 * time.Millisecond

// restart starts the process again when it has ended: what it held is seen by others,
// whether or not a container is to be started. If that fails, the next start tries again.
func (l *Launcher) restart(s *session) {
	<-s.ended
	l.mu.Lock()
	if l.current == s {
		l.current = nil
	}
	l.mu.Unlock()
	time.Sleep(restartPause)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		_, _ = l.session() // the next start reports it
	}
}

// readyError returns the error of a launcher's process that could not begin.
func readyError(r launchReply) error {
	if r.Error == "" {
		return nil
	}
	return &sandbox.InitError{Report: sandbox.Report{Action: r.Action, Errno: r.Errno, Text: r.Error}}
}

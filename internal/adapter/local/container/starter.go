//go:build linux

package container

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Starter starts processes, each with a session keyring of its own. The files of a
// command are *os.File, or nil. A process whose command asks for it (Pdeathsig) ends
// with the one that holds the Starter, also if that is killed. It is safe for concurrent
// use.
type Starter interface {
	Start(cmd *exec.Cmd) (Child, error)
}

// Child is a process that a Starter has started.
type Child interface {
	process
	PID() int
	// Wait waits for the exit. It must be called once.
	Wait() (syscall.WaitStatus, error)
}

// process is one that can be sent signals, as an *os.Process.
type process interface {
	Signal(sig os.Signal) error
	Release() error
}

// Spawner starts processes from one thread that never exits. The kernel kills a
// child with Pdeathsig when the *thread* that started it exits, and the Go
// runtime may end threads at any time.
type Spawner struct{ tasks chan func() }

// NewSpawner returns a Spawner, which lasts as long as the process.
func NewSpawner() *Spawner {
	s := &Spawner{tasks: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.tasks {
			f()
		}
	}()
	return s
}

// Start starts the command. See Starter.
func (s *Spawner) Start(cmd *exec.Cmd) (Child, error) {
	err := s.do(func() error {
		if err := sandbox.JoinSessionKeyring(); err != nil {
			return err
		}
		return cmd.Start()
	})
	if err != nil {
		return nil, err
	}
	return ownChild{cmd}, nil
}

// do calls f on the thread.
func (s *Spawner) do(f func() error) error {
	done := make(chan error)
	s.tasks <- func() { done <- f() }
	return <-done
}

// ownChild is a child of this process.
type ownChild struct{ cmd *exec.Cmd }

func (c ownChild) PID() int                   { return c.cmd.Process.Pid }
func (c ownChild) Signal(sig os.Signal) error { return c.cmd.Process.Signal(sig) }
func (c ownChild) Release() error             { return nil } // Wait has done it

// Wait returns how it ended.
func (c ownChild) Wait() (syscall.WaitStatus, error) {
	err := c.cmd.Wait() // the state has the details
	if c.cmd.ProcessState == nil {
		return 0, err
	}
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		return 0, errors.New("the system does not tell how the process ended")
	}
	return status, nil
}

// kill ends a child that has become useless, and waits for its end.
func kill(c Child) {
	_ = c.Signal(syscall.SIGKILL) // it has ended
	_, _ = c.Wait()
	_ = c.Release()
}

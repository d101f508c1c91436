//go:build linux

// Package container runs a process in a container on this machine: a read-only
// root file system, separate process, mount, IPC and UTS namespaces, an
// unprivileged user without capabilities, and the host's network or one of its own.
package container

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Spec describes a container.
type Spec struct {
	Name   string   `json:"name"`   // host name inside, and the name of the cgroup
	Rootfs string   `json:"rootfs"` // absolute folder
	Model  string   `json:"model"`  // absolute folder, mounted read-only on /model; empty: none
	Args   []string `json:"args"`   // program and arguments; looked up in the PATH of Env
	Env    []string `json:"env"`    // complete
	Dir    string   `json:"dir"`    // working folder inside; empty: /
	User   User     `json:"user"`
	CPU    float64  `json:"cpu"`    // cores, 0: no limit
	Memory int64    `json:"memory"` // bytes, 0: no limit

	Processes int `json:"processes,omitempty"` // with threads; 0: no limit

	// Port gives the container a network of its own, in which the program listens
	// on this port and only Container.Dial reaches it. 0: the host's network.
	Port int `json:"port,omitempty"`
	// Writable makes the root file system writable, in a private copy that is gone
	// with the container.
	Writable bool `json:"writable,omitempty"`
}

// User is the user in the container.
type User struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// validate rejects specifications that cannot be executed. NUL bytes would
// separate arguments of bwrap.
func (s Spec) validate() error {
	if len(s.Args) == 0 || s.Args[0] == "" {
		return fault.New(fault.Invalid, "start container %s: the image has no entrypoint", s.Name).
			Hint("give the image an ENTRYPOINT or CMD")
	}
	for _, text := range slices.Concat(s.Args, s.Env, []string{s.Dir, s.Name, s.Rootfs, s.Model}) {
		if strings.ContainsRune(text, 0) {
			return fault.New(fault.Invalid, "start container %s: its arguments or environment contain a NUL byte", s.Name)
		}
	}
	for _, kv := range s.Env {
		if i := strings.IndexByte(kv, '='); i <= 0 {
			return fault.New(fault.Invalid, "start container %s: an environment variable has no name", s.Name)
		}
	}
	return nil
}

// Runtime starts containers. It is safe for concurrent use.
type Runtime interface {
	Name() string
	// Start starts a container with its output going to out. The container ends
	// with the calling process. onStarted is called before the program may begin,
	// so that the processes can be recorded first. An error means that nothing
	// was left behind.
	Start(s Spec, out *os.File, born func(Started)) (*Container, error)
}

// Started lists what has to be cleaned up after a container if this process is
// killed.
type Started struct {
	PIDs    []int
	Cgroups []string // folders
}

// Container is a running container.
type Container struct {
	Notes []string // limits that could not be set

	cmd     *exec.Cmd
	process *os.Process // pid 1 of the container, in this pid namespace
	pid     int         // of process, which loses it in Wait while others look at the sockets
	cgroup  *Cgroup
	memory  int64

	network *network      // nil: the host's
	status  *json.Decoder // of the process in the network
	closers []io.Closer   // of the connections to that process
}

// Signal sends a signal to the program. It is ignored if the program has exited.
func (b *Container) Signal(sig syscall.Signal) {
	_ = b.process.Signal(sig) // it has exited: see Wait
	if sig == syscall.SIGKILL {
		_ = b.cmd.Process.Kill()
	}
}

// Exit is the exit status of a container.
type Exit struct {
	Code        int            // unless it was killed
	Signal      syscall.Signal // that killed it
	OOMKilled   bool
	memoryLimit int64
}

func (e Exit) String() string {
	switch {
	case e.OOMKilled:
		return fmt.Sprintf("out of memory: killed at its limit of %d MiB", e.memoryLimit>>20)
	case e.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%s)", int(e.Signal), unix.SignalName(e.Signal))
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Wait waits for the exit and cleans up. It must be called once.
func (b *Container) Wait() Exit {
	reported := b.readExit()
	_ = b.cmd.Wait() // the process state has the details
	b.close()
	e := exitOf(b.cmd.ProcessState)
	if reported != nil {
		e = *reported
	}
	e.memoryLimit = b.memory
	e.OOMKilled = b.cgroup.OOMKilled() && e.Signal == syscall.SIGKILL
	b.cgroup.Remove()
	_ = b.process.Release()
	return e
}

// exitOf returns how a process ended.
func exitOf(state *os.ProcessState) Exit {
	e := Exit{Code: -1}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
	case status.Signaled():
		e.Signal = status.Signal()
	case status.ExitStatus() > 128 && status.ExitStatus() < 128+65:
		e.Signal = syscall.Signal(status.ExitStatus() - 128) // convention of bubblewrap and shells
	default:
		e.Code = status.ExitStatus()
	}
	return e
}

// readExit waits until the process in the network reports how the container ended.
// It returns nil if there is no such process, or it was killed.
func (b *Container) readExit() *Exit {
	if b.network == nil {
		return nil
	}
	for {
		var now networkStatus
		if err := b.status.Decode(&now); err != nil || now.Exit != nil {
			return now.Exit
		}
	}
}

// close closes the connections to the process in the network.
func (b *Container) close() {
	for _, c := range b.closers {
		_ = c.Close() // the process is gone
	}
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

// Start starts the command, with a session keyring of its own.
func (s *Spawner) Start(cmd *exec.Cmd) error {
	return s.do(func() error {
		if err := sandbox.JoinSessionKeyring(); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// do calls f on the thread.
func (s *Spawner) do(f func() error) error {
	done := make(chan error)
	s.tasks <- func() { done <- f() }
	return <-done
}

// lookPath searches the PATH in env for a program.
func lookPath(name string, env []string, exists func(string) bool) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range strings.Split(path, ":") {
		if full := dir + "/" + name; strings.HasPrefix(dir, "/") && exists(full) {
			return full, nil
		}
	}
	return "", fmt.Errorf("find %q in the image: executable not found in PATH %s", name, path)
}

//go:build linux

// Package container runs a process in a container on this machine: a read-only
// root file system, separate process, mount, IPC and UTS namespaces, an
// unprivileged user without capabilities, and the host's network or one of its own.
package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
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

	child   Child   // that was started: the program, or bwrap
	process process // the program
	pid     int     // of process, in this pid namespace
	cgroup  *Cgroup
	memory  int64

	network *network    // nil: the host's
	closers []io.Closer // what ends with the container
}

// Signal sends a signal to the program. It is ignored if the program has exited.
func (b *Container) Signal(sig syscall.Signal) {
	_ = b.process.Signal(sig) // it has exited: see Wait
	if sig == syscall.SIGKILL {
		_ = b.child.Signal(sig)
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
	e := exitOf(b.child.Wait())
	b.close()
	e.memoryLimit = b.memory
	e.OOMKilled = b.cgroup.OOMKilled() && e.Signal == syscall.SIGKILL
	b.cgroup.Remove()
	_ = errors.Join(b.process.Release(), b.child.Release())
	return e
}

// exitOf returns how a process ended, of which err is why that is not known.
func exitOf(status syscall.WaitStatus, err error) Exit {
	e := Exit{Code: -1}
	switch {
	case err != nil:
	case status.Signaled():
		e.Signal = status.Signal()
	case status.ExitStatus() > 128 && status.ExitStatus() < 128+65:
		e.Signal = syscall.Signal(status.ExitStatus() - 128) // convention of bubblewrap and shells
	default:
		e.Code = status.ExitStatus()
	}
	return e
}

// close ends what only the container needed.
func (b *Container) close() {
	for _, c := range b.closers {
		_ = c.Close() // the container is gone
	}
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

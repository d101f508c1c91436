//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Namespaces is the runtime that needs nothing installed: this very program,
// started again in new namespaces, makes the container and becomes the service.
type Namespaces struct {
	InitArgs []string // arguments that make this program call Init
	Spawner  *Spawner
	Limiter  Limiter
}

// Name is "namespaces".
func (n Namespaces) Name() string { return "namespaces" }

// order is what the parent tells Init.
type order struct {
	Spec  Spec `json:"spec"`
	Check bool `json:"check"` // only see whether mounting is allowed
}

// Start makes the box. See Runtime.
func (n Namespaces) Start(s Spec, out *os.File, born func(Started)) (*Container, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := prepareRoot(s.Rootfs, s.Model != ""); err != nil {
		return nil, err
	}
	group := n.Limiter.Create(s.Name, s.CPU, s.Memory)
	cmd, err := n.run(order{Spec: s}, out, func(pid int) {
		group.add(pid)
		born(Started{PIDs: []int{pid}, Cgroups: group.folders()})
	})
	if err != nil {
		group.Remove()
		return nil, fmt.Errorf("start container %s: %w", s.Name, err)
	}
	return &Container{Notes: group.Notes, cmd: cmd, inner: cmd.Process, group: group, memory: s.Memory}, nil
}

// Check tells whether this machine lets us make containers. The error is a
// fault that says how to allow it.
func (n Namespaces) Check() error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	cmd, err := n.run(order{Check: true, Spec: Spec{User: User{UID: 65532, GID: 65532}}}, null, func(int) {})
	if err != nil {
		return forbidden(err)
	}
	return cmd.Wait()
}

// run starts Init and returns once it has become the service.
func (n Namespaces) run(o order, out *os.File, began func(pid int)) (*exec.Cmd, error) {
	cmd := n.command(o.Spec.User, out)
	orders, toInit, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer toInit.Close()
	fromInit, status, err := os.Pipe()
	if err != nil {
		orders.Close()
		return nil, err
	}
	defer fromInit.Close()
	cmd.ExtraFiles = []*os.File{orders, status}
	err = n.Spawner.Start(cmd)
	orders.Close()
	status.Close()
	if err != nil {
		return nil, fmt.Errorf("new namespaces: %w", err)
	}
	if err := instruct(cmd.Process.Pid, o, toInit, fromInit, began); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	return cmd, nil
}

func (n Namespaces) command(u User, out *os.File) *exec.Cmd {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		// One user is mapped: ourselves, as whom the image wants to run. Without
		// being user 0 inside, the capabilities survive exec as ambient ones.
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: u.UID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: u.GID, HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
	}
	return &exec.Cmd{
		// Not the path on disk: an upgrade may have replaced that one.
		Path:        "/proc/self/exe",
		Args:        append([]string{"slipway"}, n.InitArgs...),
		Env:         []string{"GOMAXPROCS=1", "GOGC=off"},
		Dir:         "/",
		Stdout:      out,
		Stderr:      out,
		SysProcAttr: attr,
	}
}

// instruct sends the order and waits for the status pipe to close, which exec
// does. What it says before that is why it could not.
func instruct(pid int, o order, toInit io.Writer, fromInit io.Reader, began func(pid int)) error {
	began(pid)
	if err := json.NewEncoder(toInit).Encode(o); err != nil {
		return fmt.Errorf("instruct the container: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(fromInit, 64<<10))
	if err != nil {
		return fmt.Errorf("hear from the container: %w", err)
	}
	if len(said) == 0 {
		return nil
	}
	var r report
	if err := json.Unmarshal(said, &r); err != nil {
		return fmt.Errorf("hear from the container: %s", strings.TrimSpace(string(said)))
	}
	return &InitError{r}
}

// report is what Init says when it cannot become the service.
type report struct {
	Doing string        `json:"doing"`
	Errno syscall.Errno `json:"errno"`
	Text  string        `json:"text"`
}

// InitError tells what a container's start stumbled over.
type InitError struct{ report }

func (e *InitError) Error() string { return e.Doing + ": " + e.Text }

func (e *InitError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

func isForbidden(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EUSERS)
}

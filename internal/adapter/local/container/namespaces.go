//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Namespaces is the runtime without dependencies: this program starts itself
// again in new namespaces, sets up the container, and becomes the service.
type Namespaces struct {
	InitArgs []string // arguments that make this program call Init
	Starter  Starter
	Limiter  Limiter
	As       *User // the user that the Starter's process has in its user namespace; nil: this process's
}

// Name is "namespaces".
func (n Namespaces) Name() string { return "namespaces" }

// initRequest is the request of the parent to Init.
type initRequest struct {
	Spec  Spec `json:"spec"`
	Check bool `json:"check"` // only check whether mounts are permitted
}

// Start starts the container. See Runtime.
func (n Namespaces) Start(s Spec, out *os.File, onStarted func(Started)) (*Container, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := createMountPoints(s.Rootfs, s.Model != ""); err != nil {
		return nil, err
	}
	group := n.Limiter.Create(s.Name, s.CPU, s.Memory, s.Processes)
	child, err := n.run(initRequest{Spec: s}, out, func(pid int) {
		group.add(pid)
		onStarted(Started{PIDs: []int{pid}, Cgroups: group.paths()})
	})
	if err != nil {
		group.Remove()
		return nil, fmt.Errorf("start container %s: %w", s.Name, mountError(err))
	}
	return &Container{Notes: group.Notes, child: child, process: child, pid: child.PID(), cgroup: group, memory: s.Memory}, nil
}

// Check returns nil if this machine permits containers, and otherwise an error
// with a hint on how to permit them.
func (n Namespaces) Check() error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	child, err := n.run(initRequest{Check: true, Spec: Spec{User: User{UID: 65532, GID: 65532}}}, null, func(int) {})
	if err != nil {
		return sandbox.ExplainForbidden("create a container", err)
	}
	defer func() { _ = child.Release() }()
	if exit := exitOf(child.Wait()); exit != (Exit{}) {
		return fmt.Errorf("create a container: %s", exit)
	}
	return nil
}

// run starts Init and waits until it has executed the service.
func (n Namespaces) run(o initRequest, out *os.File, onStarted func(pid int)) (Child, error) {
	cmd := n.command(o.Spec, out)
	requestReader, requestWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer requestWriter.Close()
	statusReader, statusWriter, err := os.Pipe()
	if err != nil {
		requestReader.Close()
		return nil, err
	}
	defer statusReader.Close()
	cmd.ExtraFiles = []*os.File{requestReader, statusWriter}
	child, err := n.Starter.Start(cmd)
	requestReader.Close()
	statusWriter.Close()
	if err != nil {
		return nil, fmt.Errorf("create namespaces: %w", err)
	}
	if err := handshake(child.PID(), o, requestWriter, statusReader, onStarted); err != nil {
		kill(child)
		return nil, err
	}
	return child, nil
}

func (n Namespaces) command(s Spec, out *os.File) *exec.Cmd {
	u := s.User
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}
	if !sandbox.IsRoot() {
		// One user is mapped: this one to the user of the image. Since it is not
		// user 0 inside, capabilities survive exec only as ambient ones.
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		as := User{UID: os.Geteuid(), GID: os.Getegid()}
		if n.As != nil {
			as = *n.As
		}
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: u.UID, HostID: as.UID, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: u.GID, HostID: as.GID, Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
		if s.Writable { // an overlay makes a folder that not even its owner may enter
			attr.AmbientCaps = append(attr.AmbientCaps, unix.CAP_DAC_OVERRIDE)
		}
	}
	return &exec.Cmd{
		// Not the path on disk, which an upgrade may have replaced.
		Path:        "/proc/self/exe",
		Args:        append([]string{"slipway"}, n.InitArgs...),
		Env:         []string{"GOMAXPROCS=1", "GOGC=off"},
		Dir:         "/",
		Stdout:      out,
		Stderr:      out,
		SysProcAttr: attr,
	}
}

// handshake sends the request and waits until exec closes the status pipe.
// Whatever it receives before is an error.
func handshake(pid int, o initRequest, request io.Writer, status io.Reader, onStarted func(pid int)) error {
	onStarted(pid)
	if err := json.NewEncoder(request).Encode(o); err != nil {
		return fmt.Errorf("send the request to the container: %w", err)
	}
	response, err := io.ReadAll(io.LimitReader(status, 64<<10))
	if err != nil {
		return fmt.Errorf("read the status of the container: %w", err)
	}
	if len(response) == 0 {
		return nil
	}
	var r sandbox.Report
	if err := json.Unmarshal(response, &r); err != nil {
		return fmt.Errorf("read the status of the container: %s", strings.TrimSpace(string(response)))
	}
	return &sandbox.InitError{Report: r}
}

// mountError is the error of a start. A mount that lacks its place, which was made
// before, was removed by another program, too.
func mountError(err error) error {
	var at *sandbox.InitError
	if !errors.As(err, &at) || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, act := range []string{"bind-mount ", "mount ", "share "} {
		if strings.HasPrefix(at.Action, act) {
			return imageRootError(at.Action, at.Errno)
		}
	}
	return err
}

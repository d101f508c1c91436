//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Init is the first process of a container: it sets up the mounts, drops all
// privileges, and executes the service. It does not return. It reads its request from
// file descriptor 3 and reports errors on 4.
func Init() {
	// Capabilities and the parent death signal belong to a thread, which must be
	// the one that calls exec.
	runtime.LockOSThread()
	request, status := os.NewFile(3, "orders"), os.NewFile(4, "status")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	err := setup(request)
	if err == nil {
		os.Exit(0) // it was a check
	}
	r := sandbox.ReportOf(err)
	_ = json.NewEncoder(status).Encode(r) // the parent is gone
	os.Exit(125)
}

func setup(request *os.File) error {
	var o initRequest
	if err := json.NewDecoder(request).Decode(&o); err != nil {
		return sandbox.Annotate("read the request (this command is internal to Slipway)", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return sandbox.Annotate("make the mounts private", err)
	}
	if o.Check {
		return checkMounts()
	}
	if err := mountRootfs(o.Spec); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(o.Spec.Name)); err != nil {
		return sandbox.Annotate("set the host name", err)
	}
	if err := dropPrivileges(o.Spec.User); err != nil {
		return err
	}
	if err := dieWithParent(request); err != nil {
		return err
	}
	if err := sandbox.LoadSeccomp(); err != nil {
		return err
	}
	return sandbox.Annotate("run "+o.Spec.Args[0], execService(o.Spec))
}

func checkMounts() error {
	if err := unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""); err != nil {
		return sandbox.Annotate("mount a tmpfs", err)
	}
	return sandbox.Annotate("mount /proc", unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
}

// dropPrivileges switches to the user and drops all capabilities for good.
func dropPrivileges(u User) error {
	if err := sandbox.LimitCapabilities(); err != nil {
		return err
	}
	if os.Geteuid() != u.UID {
		if err := syscall.Setgroups([]int{}); err != nil {
			return sandbox.Annotate("drop the supplementary groups", err)
		}
		if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
			return sandbox.Annotate(fmt.Sprintf("switch to group %d", u.GID), err)
		}
		if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
			return sandbox.Annotate(fmt.Sprintf("switch to user %d", u.UID), err)
		}
	}
	return sandbox.KeepCapabilities()
}

// dieWithParent sets the parent death signal again, which changing the user
// cleared. The parent keeps the other end of request open until exec: if it is
// closed, the parent is gone.
func dieWithParent(request *os.File) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return sandbox.Annotate("set the parent death signal", err)
	}
	poll := []unix.PollFd{{Fd: int32(request.Fd()), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, 0); err != nil && !errors.Is(err, unix.EINTR) {
		return sandbox.Annotate("check that the supervisor is running", err)
	}
	if poll[0].Revents&unix.POLLHUP != 0 {
		return sandbox.Annotate("check that the supervisor is running", errors.New("it has exited"))
	}
	return nil
}

func execService(s Spec) error {
	dir := s.Dir
	if dir == "" {
		dir = "/"
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	syscall.Umask(0o022)
	program, err := lookPath(s.Args[0], s.Env, func(path string) bool { return unix.Access(path, unix.X_OK) == nil })
	if err != nil {
		return err
	}
	if err := syscall.Exec(program, s.Args, s.Env); err != nil {
		return fmt.Errorf("exec %s: %w", strings.Join(s.Args, " "), err)
	}
	return nil
}

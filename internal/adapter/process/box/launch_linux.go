package box

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Run is the whole program of the internal command: the process that makes the
// namespaces, or the first one in them. It returns the exit code of the command in the
// box.
//
// The process that starts it may hold secrets, and so be one whose children can't have
// user namespaces (see package dumpable): this one holds none.
func Run(args []string) int {
	for _, fd := range []int{barrierFile, requestFile, statusFile} {
		syscall.CloseOnExec(fd)
	}
	// The signal that ends a child with its parent is sent when the thread ends.
	runtime.LockOSThread()
	run := launch
	if len(args) > 0 && args[0] == initCommand {
		run = runInit
	}
	code, err := run()
	if err != nil {
		status := os.NewFile(statusFile, "status")
		_ = json.NewEncoder(status).Encode(sandbox.ReportOf(err)) // whoever reads it is gone
		return errorCode
	}
	return code
}

// launch starts the first process of the box, and waits for its end. Signals that end
// the command go to all processes of the group, that one among them.
func launch() (int, error) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"slipway", Command, initCommand}, Env: []string{"GOMAXPROCS=2", MakerVariable + "=1"}, Dir: "/",
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: namespaces(),
		ExtraFiles: []*os.File{os.NewFile(barrierFile, "barrier"), os.NewFile(requestFile, "request"), os.NewFile(statusFile, "status")},
	}
	if err := cmd.Start(); err != nil {
		return 0, sandbox.Annotate("create namespaces", err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close()
	}
	err := cmd.Wait()
	if cmd.ProcessState == nil {
		return 0, err
	}
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

// namespaces are those of a box. An ordinary user is the same in it, and the only one.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if !sandbox.IsRoot() {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_DAC_OVERRIDE}
	}
	return attr
}

// exitCode counts as a shell does: 128+n for signal n.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// errNotFirst is for who calls the internal command by hand.
var errNotFirst = errors.New("it is not the first process of a box (this command is internal to Slipway)")

package box

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/dumpable"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// What a command left running may go on for a moment, and then take some time to end.
const (
	lingerTime = 500 * time.Millisecond
	endGrace   = time.Second
)

// runInit is the first process of a box. Only this thread gives up its rights, and starts
// the command; the command can't look at the others, which hold more.
func runInit() (int, error) {
	if os.Getpid() != 1 {
		return 0, errNotFirst
	}
	request := os.NewFile(requestFile, "request")
	var r Request
	if err := json.NewDecoder(request).Decode(&r); err != nil {
		return 0, sandbox.Annotate("read the request", err)
	}
	request.Close()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil { // a new user cleared it
		return 0, sandbox.Annotate("set the parent death signal", err)
	}
	if err := mountAll(r.Plan); err != nil {
		return 0, err
	}
	if err := dropRights(); err != nil {
		return 0, err
	}
	barrier, status := os.NewFile(barrierFile, "barrier"), os.NewFile(statusFile, "status")
	cmd := &exec.Cmd{
		Path: r.Args[0], Args: r.Args, Env: r.Env, Dir: r.Dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: []*os.File{barrier}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return 0, sandbox.Annotate("run "+r.Args[0], err)
	}
	barrier.Close()
	status.Close()
	go forward(signals, cmd.Process.Pid)
	return reap(cmd.Process.Pid), nil
}

// dropRights takes from this thread, and from the command that it starts, what the
// command has no need of. Root keeps what it needs to work on files of others.
func dropRights() error {
	var keep []int
	limit := unix.Rlimit{Cur: maxProcesses, Max: maxProcesses}
	if sandbox.IsRoot() {
		keep = []int{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID}
	} else if err := unix.Setrlimit(unix.RLIMIT_NPROC, &limit); err != nil && !errors.Is(err, unix.EPERM) { // it is lower already
		return sandbox.Annotate("limit the processes", err)
	}
	for _, act := range []func() error{
		sandbox.JoinSessionKeyring,
		func() error { return sandbox.LimitCapabilities(keep...) },
		func() error { return sandbox.KeepCapabilities(keep...) },
		sandbox.LoadSeccomp,
		dumpable.Clear,
	} {
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

// forward passes SIGTERM on to the command, which is in a session of its own.
func forward(signals <-chan os.Signal, command int) {
	for s := range signals {
		if s == syscall.SIGTERM {
			_ = syscall.Kill(-command, syscall.SIGTERM) // it may have ended
		}
	}
}

// reap waits for the end of the command, and ends what it left: by SIGTERM, and what
// ignores that by the kernel, when this process ends.
func reap(command int) (code int) {
	for {
		pid, status := waitAny()
		if pid < 0 {
			return errorCode
		}
		if pid == command {
			code = exitCode(status)
			break
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pid := 0; pid >= 0; {
			pid, _ = waitAny()
		}
	}()
	for _, wait := range []time.Duration{lingerTime, endGrace} {
		select {
		case <-ended:
			return code
		case <-time.After(wait):
			_ = syscall.Kill(-1, syscall.SIGTERM) // all but this process
		}
	}
	return code
}

// waitAny waits for the end of any child; without one the pid is negative.
func waitAny() (pid int, status syscall.WaitStatus) {
	for {
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return pid, status
		}
	}
}

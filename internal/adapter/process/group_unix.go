//go:build unix

package process

import (
	"os"
	"syscall"

	"github.com/slipway-cd/slipway/internal/flock"
)

func guardGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// signalGroup sends SIGTERM, or SIGKILL, to a group; one that is gone is fine.
func signalGroup(pid int, kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	if pid > 1 {
		_ = syscall.Kill(-pid, sig)
	}
}

// exitCode is the shell's way to count: 128+n for signal n.
func exitCode(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// tryLock locks the file against other processes, without waiting.
func tryLock(f *os.File) (bool, error) { return flock.Try(f) }

// waitLock locks the file, and waits for that.
func waitLock(f *os.File) error { return flock.Wait(f) }

//go:build unix

package process

import (
	"os"
	"syscall"
)

func watchdogAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func runnerAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

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

// checkSystem reports why jobs cannot run on this operating system.
func checkSystem() error { return nil }

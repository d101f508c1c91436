//go:build unix

package ko

import (
	"os"
	"syscall"
)

// groupAttr makes the process the leader of a group, which the toolchain belongs to.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the process and its group.
func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

//go:build !unix

package ko

import (
	"os"
	"syscall"
)

func groupAttr() *syscall.SysProcAttr { return nil }

// killGroup kills the process alone: there are no groups.
func killGroup(p *os.Process) error { return p.Kill() }

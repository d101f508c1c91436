package process

import "syscall"

// commandAttr also asks the kernel to kill the shell with the thread that started it.
func commandAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

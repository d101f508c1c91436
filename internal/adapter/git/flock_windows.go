package git

import (
	"os"

	"golang.org/x/sys/windows"
)

// flock waits for the kernel's lock on an open file.
func flock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}

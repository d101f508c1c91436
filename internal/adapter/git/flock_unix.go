//go:build unix

package git

import (
	"errors"
	"os"
	"syscall"
)

// flock waits for the kernel's lock on an open file.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

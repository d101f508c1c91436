//go:build unix

package venv

import (
	"errors"
	"os"
	"syscall"
)

// flock takes the kernel's lock on an open file, or tells that it is taken.
func flock(f *os.File) (free bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

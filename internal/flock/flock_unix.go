//go:build unix

package flock

import (
	"errors"
	"os"
	"syscall"
)

// Try takes the lock, or tells that it is taken.
func Try(f *os.File) (free bool, err error) {
	err = lock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// Wait takes the lock once it is free. Nothing but its holder ends the wait.
func Wait(f *os.File) error { return lock(f, syscall.LOCK_EX) }

// lock asks again when a signal came in between.
func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

package flock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no equal: making links takes a privilege.
const noFollow = 0

type mode uint32

const (
	shared    mode = 0
	exclusive mode = windows.LOCKFILE_EXCLUSIVE_LOCK
)

func try(f *os.File, m mode) (free bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), uint32(m)|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return true, nil
}

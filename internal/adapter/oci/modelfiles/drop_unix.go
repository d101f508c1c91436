//go:build unix

package modelfiles

import (
	"errors"
	"fmt"
	"syscall"
)

// Nobody is the user and group that the image names, and that root becomes.
const Nobody = 65532

// DropPrivileges makes root an ordinary user, in all threads. A root that may
// not do that has lost its capabilities already and stays as it is.
func DropPrivileges() error {
	if syscall.Geteuid() != 0 {
		return nil
	}
	steps := []func() error{
		func() error { return syscall.Setgroups([]int{Nobody}) },
		func() error { return syscall.Setgid(Nobody) },
		func() error { return syscall.Setuid(Nobody) },
	}
	for _, step := range steps {
		if err := step(); err != nil && !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("become user %d: %w", Nobody, err)
		}
	}
	return nil
}

//go:build unix

package modelfiles

import (
	"errors"
	"fmt"
	"syscall"
)

// NonRootID is the user and group that the image names, and that root becomes.
const NonRootID = 65532

// DropPrivileges makes root an ordinary user, in all threads. A root that may
// not do that has lost its capabilities already and stays as it is.
func DropPrivileges() error {
	if syscall.Geteuid() != 0 {
		return nil
	}
	steps := []func() error{
		func() error { return syscall.Setgroups([]int{NonRootID}) },
		func() error { return syscall.Setgid(NonRootID) },
		func() error { return syscall.Setuid(NonRootID) },
	}
	for _, step := range steps {
		if err := step(); err != nil && !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("become user %d: %w", NonRootID, err)
		}
	}
	return nil
}

//go:build linux

package sandbox

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// LimitCapabilities keeps this thread, and what it executes, from ever gaining a
// capability but those in keep.
func LimitCapabilities(keep ...int) error {
	for c := 0; c <= 63; c++ {
		if slices.Contains(keep, c) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // no more capabilities in this kernel
		}
		if err != nil {
			return Annotate("drop the capability bounding set", err)
		}
	}
	return nil
}

// KeepCapabilities drops all capabilities of this thread but those in keep, and forbids
// programs that it executes to give it more privileges.
func KeepCapabilities(keep ...int) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return Annotate("drop the ambient capabilities", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var kept [2]unix.CapUserData
	for _, c := range keep {
		kept[c/32].Permitted |= 1 << (c % 32)
		kept[c/32].Effective |= 1 << (c % 32)
	}
	if err := unix.Capset(&header, &kept[0]); err != nil {
		return Annotate("drop all other capabilities", err)
	}
	return Annotate("forbid new privileges", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}

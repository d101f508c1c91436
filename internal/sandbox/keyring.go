//go:build linux

package sandbox

import (
	"errors"

	"golang.org/x/sys/unix"
)

// JoinSessionKeyring gives this thread, and the processes that it starts, a new and
// empty session keyring. Keys belong to whoever holds a keyring, in whatever user
// namespace: in the session keyring of whoever started Slipway, a service would find
// Kerberos tickets and the keys of encrypted folders. A kernel without keys has none to
// find, and what refuses the call (a container engine) refuses the others, too.
func JoinSessionKeyring() error {
	_, _, errno := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	if errno == 0 || errors.Is(errno, unix.ENOSYS) || errors.Is(errno, unix.EPERM) {
		return nil
	}
	return Annotate("make a session keyring", errno)
}

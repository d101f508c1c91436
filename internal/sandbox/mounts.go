//go:build linux

package sandbox

import "golang.org/x/sys/unix"

// PivotRoot changes the root and unmounts the previous one.
func PivotRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return Annotate("change to the new root folder", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return Annotate("pivot the root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return Annotate("unmount the host root", err)
	}
	return Annotate("change to the new root", unix.Chdir("/"))
}

// ReadOnly remounts a bind mount. In a user namespace its original flags are
// locked and have to be repeated.
func ReadOnly(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	flags |= uintptr(st.Flags) & (unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if st.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	return unix.Mount("", path, "", flags, "")
}

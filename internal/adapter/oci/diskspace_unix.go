//go:build unix

package oci

import "golang.org/x/sys/unix"

// canUnpack reports whether images and models can be unpacked on this system.
const canUnpack = true

// freeSpace returns how many bytes an ordinary user can still write below folder.
func freeSpace(folder string) (int64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:unconvert // its type is not the same everywhere
}

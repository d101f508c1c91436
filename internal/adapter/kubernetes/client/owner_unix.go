//go:build unix

package client

import (
	"os"
	"syscall"
)

// isForeign reports whether another user owns a file.
func isForeign(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}

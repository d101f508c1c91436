//go:build unix

package app

import (
	"os"
	"syscall"
)

// foreignOwner returns the owner of a path if that is neither the user nor root. Of a
// link, both the link and what it leads to count.
func foreignOwner(path string) (uid int, ok bool) {
	for _, stat := range []func(string) (os.FileInfo, error){os.Lstat, os.Stat} {
		info, err := stat(path)
		if err != nil {
			continue
		}
		if st, isUnix := info.Sys().(*syscall.Stat_t); isUnix && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return int(st.Uid), true
		}
	}
	return 0, false
}

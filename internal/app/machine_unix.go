//go:build unix

package app

import (
	"fmt"
	"os"
	"syscall"
)

// folderIdentity returns the device and the inode of a folder.
func folderIdentity(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return ""
}

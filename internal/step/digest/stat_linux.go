package digest

import (
	"io/fs"
	"syscall"
)

// stampOf returns a file's stamp; ok is false if the system does not report
// enough to notice every change.
func stampOf(info fs.FileInfo) (s stamp, ok bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{
		Device: uint64(sys.Dev), Inode: sys.Ino, Size: info.Size(), //nolint:unconvert // its width differs by platform
		Mtime: info.ModTime().UnixNano(), Ctime: sys.Ctim.Nano(),
	}, true
}

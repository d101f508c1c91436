package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-cd/slipway/internal/filetrust"
)

// Only its owner enters the state folder: other users have no business with the records,
// logs and images in it, and whoever can open a lock file can hold it for ever. Modes of
// what lies below do not have to be relied on then.
const (
	stateDirMode fs.FileMode = 0o700
	// searchable is what bwrap needs, which root starts as the user of the image.
	searchable fs.FileMode = 0o711
)

// makePrivate creates the state folder, closed to other users, or closes one that an
// earlier version left open. A folder with other things in it, like /var/lib or /tmp,
// or that belongs to another user is left as it is.
func makePrivate(home string) error {
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(home, stateDirMode); err == nil {
		return os.Chmod(home, stateDirMode) // whatever the umask and the parent folder's bits
	}
	info, err := os.Stat(home)
	if err != nil {
		return err
	}
	owner, known := filetrust.Owner(info)
	switch {
	case !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: home, Err: syscall.ENOTDIR}
	case !known, owner != os.Geteuid(), info.Mode()&fs.ModeSticky != 0, info.Mode().Perm()&^searchable == 0:
		return nil
	case !isStateFolder(home):
		return nil
	}
	return os.Chmod(home, stateDirMode)
}

// isStateFolder reports whether the folder is empty, or Slipway has prepared it.
func isStateFolder(home string) bool {
	entries, err := os.ReadDir(home)
	if err == nil && len(entries) == 0 || hasRecords(home) {
		return true
	}
	ignored, err := os.ReadFile(filepath.Join(home, ".gitignore"))
	return err == nil && string(ignored) == ignoreAll
}

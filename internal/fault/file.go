package fault

import (
	"errors"
	"io/fs"
	"syscall"
)

// FileKind is the kind of an error that the operating system returned: a full disk
// is Exhausted, and so is a lack of memory, processes or open files; a missing
// permission is Denied, a missing file NotFound, anything else Internal.
func FileKind(err error) Kind {
	switch {
	case isAnyOf(err, syscall.ENOSPC, syscall.EDQUOT, syscall.ENOMEM, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE):
		return Exhausted
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	}
	return Internal
}

func isAnyOf(err error, numbers ...syscall.Errno) bool {
	for _, n := range numbers {
		if errors.Is(err, n) {
			return true
		}
	}
	return false
}

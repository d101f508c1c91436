package fault

import (
	"errors"
	"io/fs"
	"syscall"
)

// FileKind is the kind of an error that the file system returned: a full disk is
// Exhausted, a missing permission Denied, a missing file NotFound, anything else
// Internal.
func FileKind(err error) Kind {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Exhausted
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	}
	return Internal
}

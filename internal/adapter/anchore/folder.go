package anchore

import (
	"errors"
	"io/fs"
	"os"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// makeDir makes the folder of the database.
func (s *Scanner) makeDir() error {
	perm := fs.FileMode(0o755)
	if s.c.AmongOthers {
		perm = 0o700
	}
	if err := os.MkdirAll(s.c.Dir, perm); err != nil {
		return writeError(s.c.Dir, err)
	}
	return s.checkDir()
}

// checkDir refuses a folder that another user may have made, where one could.
func (s *Scanner) checkDir() error {
	if !s.c.AmongOthers {
		return nil
	}
	info, err := os.Lstat(s.c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.New(fault.FileKind(err), "open the folder of the vulnerability database").Cause(err)
	}
	if uid, known := filetrust.Owner(info); !info.IsDir() || known && uid != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fault.New(fault.Denied, "the folder %s of the vulnerability database belongs to another user, or others write to it", s.c.Dir).
			Hint("set SLIPWAY_CACHE_DIR to a folder of yours, or HOME")
	}
	return nil
}

package record

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
)

// RemoveDatabase removes a database's file and those that SQLite keeps beside it: all
// that it can, before it returns the first error.
func RemoveDatabase(path string) (failed error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}

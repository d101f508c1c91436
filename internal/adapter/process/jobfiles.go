package process

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
)

func readStarted(folder string) (started, bool, error) {
	var s started
	ok, err := readJSON(folder, startedFile, &s)
	return s, ok, err
}

func exists(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// readJSON is ok when the file is there.
func readJSON(folder, name string, into any) (ok bool, err error) {
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fault.New(kindOf(err), "read the job's %s", name).Cause(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fault.New(fault.Corrupt, "read the job's %s", filepath.Join(folder, name)).Cause(err)
	}
	return true, nil
}

// writeJSON replaces the file as a whole, on the disk.
func writeJSON(folder, name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(folder, name), raw, 0o600)
}

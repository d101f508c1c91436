//go:build linux

package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// deletedSuffix is what the kernel adds to the path of an open file that was removed.
const deletedSuffix = " (deleted)"

// whereabouts returns where the folder is now whose lock file is open as file, a path in
// /proc: movedTo is empty if it is still at dir.
func whereabouts(dir, file string) (movedTo string, removed bool, err error) {
	held, err := os.Stat(file)
	if err != nil {
		return "", false, err
	}
	if there, err := os.Stat(filepath.Join(dir, lockFile)); err == nil && os.SameFile(held, there) {
		return "", false, nil
	}
	now, err := os.Readlink(file)
	if err != nil {
		return "", false, err
	}
	if strings.HasSuffix(now, deletedSuffix) {
		return "", true, nil
	}
	return filepath.Dir(now), false, nil
}

// folder is the state folder of this supervisor, with its lock. A nil folder has not been
// moved.
type folder struct {
	dir  string
	lock *os.File
}

// check returns an error if the folder was moved or removed since this supervisor
// started. What it runs is not affected, but nothing can be saved, and no replica started
// again.
func (f *folder) check() error {
	if f == nil {
		return nil
	}
	movedTo, removed, err := whereabouts(f.dir, "/proc/self/fd/"+strconv.Itoa(int(f.lock.Fd())))
	switch {
	case err != nil:
		return nil //nolint:nilerr // it can't be examined: the error of what was tried has to do
	case removed:
		return fault.New(fault.Unavailable, "the state folder %s was removed while its supervisor ran", f.dir).
			Hint("end the supervisor with `slipway down --all`, then deploy again")
	case movedTo != "":
		return fault.New(fault.Unavailable, "the state folder %s was moved to %s while its supervisor ran", f.dir, movedTo).
			Hint("start the service again from there, with `slipway up`, or end it with `slipway down --all`")
	}
	return nil
}

// checkContent returns an error if the state folder was moved or removed, or the files of a
// release in it.
func (f *folder) checkContent(contents ...string) error {
	if err := f.check(); err != nil {
		return err
	}
	for _, content := range contents {
		if _, err := os.Stat(content); content != "" && errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Unavailable, "%s was removed while the supervisor ran", content).Hint("deploy again: it is unpacked anew")
		}
	}
	return nil
}

// inFolder returns the path of an unpacked image or a model in the state folder, wherever
// that was when the path was saved: "/before/local/rootfs/HEX" is "DIR/rootfs/HEX". Any
// other path is refused, and one that a link leads out of the folder: a file that came
// from elsewhere must not choose what becomes the root of a replica.
func inFolder(dir, kind, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	path = filepath.Clean(path)
	if filepath.Base(filepath.Dir(path)) != kind {
		return "", outside(dir, path)
	}
	here := filepath.Join(dir, kind, filepath.Base(path))
	target, err := filepath.EvalSymlinks(here)
	if err != nil {
		return here, nil //nolint:nilerr // it was removed: it is unpacked anew
	}
	folder, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	if !filetrust.Within(folder, target) {
		return "", outside(dir, here)
	}
	return here, nil
}

func outside(dir, path string) error {
	return fault.New(fault.Denied, "read the state of the local target: %s is not in %s", path, dir).
		Hint("replicas run only what was unpacked there; if the folder did not come with a repository, move %s away and deploy again", filepath.Join(dir, "state.json"))
}

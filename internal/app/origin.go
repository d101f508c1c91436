package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// originFile is the file in a state folder that names the folder itself as the file
// system does. A folder that came out of an archive has another name there, which its
// maker can't know before: what is in it was not written here.
const originFile = "origin"

// markOrigin records that the folder is one of this machine's. Where the file system can't
// tell folders from copies, nothing is recorded or asked for.
func markOrigin(home string) error {
	id, known := filetrust.Identity(home)
	if !known || hasOrigin(home, id) {
		return nil
	}
	return atomicfile.Write(filepath.Join(home, originFile), []byte(id+"\n"), 0o600)
}

func hasOrigin(home, id string) bool {
	raw, err := os.ReadFile(filepath.Join(home, originFile))
	return err == nil && strings.TrimSpace(string(raw)) == id
}

// checkOrigin refuses a state folder beside slipway.yaml that was not made there: an archive
// can bring one, as a commit can. One that SLIPWAY_HOME names is the user's word, and
// becomes one that was made there; that of a CI's job comes from the job's cache.
func (a *App) checkOrigin(ctx context.Context, w Workspace) error {
	if filetrust.Resolved(w.Home) != filetrust.Resolved(filepath.Join(w.Repository, stateFolder)) {
		return nil
	}
	if holdsNothing(w.Home) {
		return nil
	}
	id, known := filetrust.Identity(w.Home)
	if !known || hasOrigin(w.Home, id) || a.inJob(w.Home) || a.isSafe(ctx, w.Home) {
		return nil
	}
	if named, ok := a.getenv("SLIPWAY_HOME"); ok && named != "" {
		_ = markOrigin(w.Home) // otherwise it has to be named again
		return nil
	}
	return fault.New(fault.Denied, "the state folder %s was not made here: it came with a copy or an archive, or an earlier version of Slipway made it", w.Home).
		Hint("it decides what is run and removed on this machine; if it is yours, name it once: SLIPWAY_HOME=%s slipway status; if not, look at what is in it, and remove it", w.Home)
}

// holdsNothing reports whether a folder is missing, or holds only folders that hold
// nothing, such as those that a disk is mounted on.
func holdsNothing(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, e := range entries {
		if !e.IsDir() || !holdsNothing(filepath.Join(dir, e.Name())) {
			return false
		}
	}
	return true
}

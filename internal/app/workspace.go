package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Workspace is the location of a project.
type Workspace struct {
	Repository string // absolute folder with slipway.yaml
	Home       string // absolute folder of the state
	Cache      string // absolute folder of the project's caches, by trust class
	Records    string // absolute path of the records; empty: in Home

	State               string                 // place that machines share: a URL or an absolute path; empty: none
	Machine             Machine                // this machine, where several share a state
	MachineEnvironments []delivery.Environment // whose target keeps everything on this machine
	ReadOnly            bool                   // nothing is written to what is shared

	Project       delivery.Project  // whose records are opened
	ModelRegistry config.Registry   // that the project names; empty: the default
	RegistryRoles map[string]string // by which registries of images are reached, by their hosts
	Also          []string          // globs of files beside Repository that belong to the service
	Secrets       []string          // values that no log may show

	HistoryKeys func(delivery.Environment) (port.HistoryKeys, error) // of the project, for what is recorded beside a deployment
}

// findWorkspace looks for slipway.yaml in the folder of the command and those above it.
// One that another user may have put there, or a state folder that came with the
// repository or an archive, is fault.Denied.
func (a *App) findWorkspace(ctx context.Context) (Workspace, error) {
	w, err := a.locateWorkspace()
	if err == nil {
		err = a.checkOwners(ctx, w)
	}
	if err == nil {
		err = a.checkUntracked(ctx, w)
	}
	if err == nil {
		err = a.checkOrigin(ctx, w)
	}
	return w, err
}

// locateWorkspace is findWorkspace without its checks, which run git: nothing that is found
// may be believed or changed.
func (a *App) locateWorkspace() (Workspace, error) {
	for dir := a.Dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil {
			return a.workspaceAt(dir)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return Workspace{}, fault.New(fault.NotFound, "no %s found in %s or its parent folders", config.FileName, a.Dir).
		Hint("change to the service's repository, or create the file with `slipway init`")
}

func (a *App) workspaceAt(dir string) (Workspace, error) {
	home := filepath.Join(dir, stateFolder)
	if h, ok := a.getenv("SLIPWAY_HOME"); ok && h != "" {
		abs, err := filepath.Abs(h)
		if err != nil {
			return Workspace{}, fmt.Errorf("resolve SLIPWAY_HOME: %w", err)
		}
		home = abs
	}
	return Workspace{Repository: dir, Home: home}, nil
}

// stateFolder is where the state is beside slipway.yaml.
const stateFolder = ".slipway"

// ignoreAll is the .gitignore of the state folder.
const ignoreAll = "*\n"

// prepareHome creates the state folder with a .gitignore that makes git ignore it.
// Linters that respect .gitignore in parent folders (ruff) must nevertheless see the
// checkouts in it: for them the nearest file counts, for git the outermost.
func prepareHome(home string) error {
	err := makePrivate(home)
	if err == nil {
		err = markOrigin(home)
	}
	if err == nil {
		err = writeIfAbsent(filepath.Join(home, ".gitignore"), ignoreAll)
	}
	if err == nil {
		err = writeIfAbsent(filepath.Join(home, "work", ".gitignore"), "!*\n")
	}
	if err == nil {
		return nil
	}
	f := fault.New(fault.Unavailable, "create the state folder %s", home).Cause(err)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f = f.Hint("make the folder writable, or set SLIPWAY_HOME to one that is")
	}
	return f
}

// writeIfAbsent writes a file unless it exists.
func writeIfAbsent(path, text string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

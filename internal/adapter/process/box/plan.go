// Package box runs one command of the repository in a box: it sees no other process,
// no home folder and no state of Slipway, and writes only where it is told to. The
// package has the plan of its mounts, and the two processes that make it.
package box

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// Action is what is mounted at a path.
type Action string

// The actions.
const (
	Empty    Action = "empty"     // a folder in memory, writable
	ReadOnly Action = "read-only" // the path From of the machine
	Writable Action = "writable"
	Proc     Action = "proc"
	Devices  Action = "devices"
)

// Mount is one step of a Plan.
type Mount struct {
	Action Action `json:"action"`
	To     string `json:"to"`             // absolute, as the command sees it
	From   string `json:"from,omitempty"` // absolute, without symbolic links
}

// Plan is what a command sees: the machine's file systems, read-only, and upon them
// the mounts in their order.
type Plan struct {
	Mounts []Mount `json:"mounts"`
	Home   string  `json:"home"`   // of the command, writable
	Caches []Mount `json:"caches"` // those of Mounts whose From has to be created
}

// Machine is what a plan depends on besides the command.
type Machine struct {
	Home    string              // of the user
	Path    []string            // folders with programs
	Tools   []string            // other folders of tools, by their variables
	Hidden  []string            // folders that the command must not see
	Resolve func(string) string // path without symbolic links; empty: not found
}

// NewPlan returns the plan for a command.
func NewPlan(b port.Box, m Machine) Plan {
	pl := planner{machine: m}
	pl.add(Proc, "/proc", "")
	pl.add(Devices, "/dev", "")
	for _, dir := range slices.Concat(scratchFolders, homeFolders, []string{m.Home}, m.Hidden) {
		pl.empty(dir)
	}
	pl.home(m.Home, b.Cache)
	for _, file := range systemFiles {
		pl.show(ReadOnly, file)
	}
	for _, tool := range pl.tools() {
		pl.show(ReadOnly, tool)
	}
	for _, path := range b.Read {
		pl.show(ReadOnly, path)
	}
	for _, path := range b.Write {
		pl.show(Writable, path)
	}
	return pl.plan
}

type planner struct {
	machine Machine
	plan    Plan
	emptied []string
	private []string // what must not be seen as a whole: those, and folders in them
}

func (pl *planner) add(action Action, to, from string) {
	pl.plan.Mounts = append(pl.plan.Mounts, Mount{Action: action, To: to, From: from})
}

// empty hides a folder, unless it is hidden by another or belongs to the system.
func (pl *planner) empty(dir string) {
	resolved := pl.machine.Resolve(dir)
	if resolved == "" || slices.Contains(systemFolders, resolved) {
		return
	}
	pl.private = append(pl.private, resolved)
	if pl.isHidden(resolved) {
		return
	}
	pl.emptied = append(pl.emptied, resolved)
	pl.add(Empty, resolved, "")
}

// isHidden reports whether a path is in a folder that was emptied.
func (pl *planner) isHidden(path string) bool {
	return slices.ContainsFunc(pl.emptied, func(dir string) bool { return isBelow(dir, path) })
}

// home makes the home folder of the command, and the caches in it.
func (pl *planner) home(home, cache string) {
	if resolved := pl.machine.Resolve(home); resolved != "" && pl.isHidden(resolved) {
		pl.plan.Home = resolved
	} else {
		pl.plan.Home = homeInstead
	}
	if cache == "" {
		return
	}
	for _, name := range slices.Concat(cacheFolders, pl.absent(cachedTools)) {
		m := Mount{Action: Writable, To: filepath.Join(pl.plan.Home, name), From: filepath.Join(cache, name)}
		pl.plan.Mounts, pl.plan.Caches = append(pl.plan.Mounts, m), append(pl.plan.Caches, m)
	}
}

// absent returns those of the folders that the user's home lacks.
func (pl *planner) absent(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return pl.machine.Resolve(filepath.Join(pl.machine.Home, name)) != ""
	})
}

// show makes a path of the machine visible under its own name: also if that leads
// through a symbolic link in a folder that was emptied.
func (pl *planner) show(action Action, path string) {
	resolved := pl.machine.Resolve(path)
	if resolved == "" {
		return
	}
	if action == Writable || pl.isHidden(resolved) {
		pl.add(action, resolved, resolved)
	}
	if path = filepath.Clean(path); path != resolved && pl.isHidden(path) {
		pl.add(action, path, resolved)
	}
}

// tools returns the folders of installed programs, of which those below a home would
// be hidden.
func (pl *planner) tools() []string {
	var all []string
	for _, name := range toolFolders {
		all = append(all, filepath.Join(pl.machine.Home, name))
	}
	for _, dir := range pl.machine.Path {
		all = append(all, pl.installation(dir))
	}
	all = append(all, pl.machine.Tools...)
	return slices.DeleteFunc(all, func(dir string) bool { return !filepath.IsAbs(dir) || pl.holdsPrivate(dir) })
}

// installation returns the folder around one of PATH that has the libraries of its
// programs, too: ~/.pyenv for ~/.pyenv/shims.
func (pl *planner) installation(dir string) string {
	parent := filepath.Dir(dir)
	shared := slices.ContainsFunc(sharedFolders, func(name string) bool { return parent == filepath.Join(pl.machine.Home, name) })
	if !slices.Contains(programFolders, filepath.Base(dir)) || shared || pl.holdsPrivate(parent) {
		return dir
	}
	return parent
}

// holdsPrivate reports whether a folder is one that must not be seen, or around one.
func (pl *planner) holdsPrivate(dir string) bool {
	return slices.ContainsFunc(pl.private, func(private string) bool { return isBelow(pl.machine.Resolve(dir), private) })
}

// isBelow reports whether path is dir, or below it.
func isBelow(dir, path string) bool {
	return dir != "" && (dir == path || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/"))
}

// Environ returns the environment of the command in the box: a home and caches that
// exist there.
func (p Plan) Environ(list []string) []string {
	out := make([]string, 0, len(list)+1)
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		if name == "HOME" || slices.Contains(folderVariables, name) && !p.isWritable(value) {
			continue
		}
		out = append(out, kv)
	}
	return append(out, "HOME="+p.Home)
}

// isWritable reports whether the command may write below a path.
func (p Plan) isWritable(path string) bool {
	writable := false
	for _, m := range p.Mounts {
		if isBelow(m.To, filepath.Clean(path)) {
			writable = m.Action == Empty || m.Action == Writable
		}
	}
	return writable
}

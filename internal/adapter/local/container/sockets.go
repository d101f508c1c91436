//go:build linux

package container

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Sockets returns the sockets ("socket:[123]") that the processes of the container
// hold. complete is false if one of them could not be examined.
func (b *Container) Sockets() (held map[string]bool, complete bool) {
	return socketsOf("/proc", b.pid)
}

// Listeners returns the sockets on which the container takes connections.
func (b *Container) Listeners() []Listener {
	if b.network != nil { // no other process is in it
		return tableListeners("/proc/" + strconv.Itoa(b.network.launcher.child.PID()))
	}
	held, _ := b.Sockets()
	return slices.DeleteFunc(Listeners("/proc"), func(l Listener) bool { return !held[l.Socket] })
}

// socketsOf returns the sockets of a process and its descendants.
func socketsOf(proc string, root int) (held map[string]bool, complete bool) {
	held, complete = map[string]bool{}, true
	family, ok := walkChildren(proc, root)
	if !ok {
		family = descendants(parents(proc), root)
	}
	for _, pid := range family {
		dir := proc + "/" + strconv.Itoa(pid) + "/fd"
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			complete = false
		}
		for _, f := range files {
			if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
				held[to] = true
			}
		}
	}
	return held, complete
}

// walkChildren returns a process and its descendants, by the kernel's lists of
// children. ok is false if this kernel keeps none. A process that is started or
// ends meanwhile may be left out.
func walkChildren(proc string, root int) (family []int, ok bool) {
	family = []int{root}
	for i := 0; i < len(family); i++ {
		dir := proc + "/" + strconv.Itoa(family[i]) + "/task"
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue // it has exited
		}
		for _, task := range tasks {
			raw, err := os.ReadFile(dir + "/" + task.Name() + "/children")
			if _, gone := os.Stat(dir + "/" + task.Name()); err != nil && gone == nil {
				return nil, false
			}
			for _, field := range strings.Fields(string(raw)) {
				if pid, err := strconv.Atoi(field); err == nil {
					family = append(family, pid)
				}
			}
		}
	}
	return family, true
}

// parents returns the parent of every process, on kernels without lists of
// children.
func parents(proc string) map[int]int {
	all := map[int]int{}
	entries, _ := os.ReadDir(proc) // without it no process is found
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile(proc + "/" + entry.Name() + "/stat")
		if err != nil {
			continue // it has exited
		}
		// The name in parentheses may contain anything: start after the last one.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			all[pid] = parent
		}
	}
	return all
}

// descendants returns a process and all that it started, directly or not.
func descendants(parent map[int]int, root int) []int {
	children := map[int][]int{}
	for pid, of := range parent {
		children[of] = append(children[of], pid)
	}
	found := []int{root}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

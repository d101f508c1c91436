//go:build linux

package container

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Sockets returns the sockets ("socket:[123]") that the processes of the container
// hold. complete is false if one of them could not be examined.
func (b *Container) Sockets() (held map[string]bool, complete bool) {
	return socketsOf("/proc", b.process.Pid)
}

// socketsOf returns the sockets of a process and its descendants.
func socketsOf(proc string, root int) (held map[string]bool, complete bool) {
	held, complete = map[string]bool{}, true
	for _, pid := range descendants(parents(proc), root) {
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

// parents returns the parent of every process.
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

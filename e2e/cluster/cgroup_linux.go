package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cgroupName is the kubelet's root cgroup in every hierarchy. It belongs to the
// cluster alone, so it can be removed safely.
const cgroupName = "/slipway-cluster"

const cgroupMount = "/sys/fs/cgroup"

// hierarchies returns the mount points: one in version 2, one per controller in
// version 1 and in the hybrid layout.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, fmt.Errorf("list the cgroup hierarchies: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() { // symlinks are aliases: cpu -> cpu,cpuacct
			dirs = append(dirs, filepath.Join(cgroupMount, e.Name()))
		}
	}
	return dirs, nil
}

// makeCgroups creates the kubelet's root cgroup, with all available controllers.
func makeCgroups() error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir+cgroupName, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create the cgroup: %w", err)
		}
		if dir == cgroupMount {
			err = enableControllers(dir)
		} else {
			err = copyCpuset(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enableControllers enables the controllers for the new cgroup (version 2).
func enableControllers(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("list the cgroup controllers: %w", err)
	}
	for _, name := range strings.Fields(string(have)) {
		// The kubelet reports a controller that it misses.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0o644)
	}
	return nil
}

// copyCpuset copies the settings that a cpuset needs before a process can join it
// (version 1).
func copyCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir+cgroupName, name), value, 0o644)
		}
		if err != nil {
			return fmt.Errorf("set up the cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the kubelet's root cgroup recursively. The kernel releases a
// cgroup only some time after its last process.
func removeCgroups(timeout time.Duration) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(pollInterval) {
		err = nil
		for _, dir := range dirs {
			err = errors.Join(err, removeCgroup(dir+cgroupName))
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// removeCgroup removes the deepest cgroups first. Their files cannot and need not be
// removed.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeCgroup(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the cgroup: %w", err)
	}
	return nil
}

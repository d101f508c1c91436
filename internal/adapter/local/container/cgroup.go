//go:build linux

package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Limiter sets limits of CPU, memory and processes by cgroups v1 or v2. The zero value enforces
// no limits and adds a note about it.
type Limiter struct {
	v1      map[string]string // cgroup of this process, by controller
	unified string            // parent of new cgroups; empty: none
}

// FindLimiter reads the cgroups of this process. root selects the top of the
// unified hierarchy as the parent of new cgroups.
func FindLimiter(root bool) Limiter {
	mounts, err1 := os.ReadFile("/proc/self/mountinfo")
	self, err2 := os.ReadFile("/proc/self/cgroup")
	if err1 != nil || err2 != nil {
		return Limiter{}
	}
	return parseLimiter(string(mounts), string(self), root)
}

func parseLimiter(mounts, self string, root bool) Limiter {
	cgroups := map[string]string{} // path by controller; "" is the unified hierarchy
	for _, line := range strings.Split(self, "\n") {
		if parts := strings.SplitN(line, ":", 3); len(parts) == 3 {
			for _, controller := range strings.Split(parts[1], ",") {
				cgroups[controller] = parts[2]
			}
		}
	}
	l := Limiter{v1: map[string]string{}}
	for _, line := range strings.Split(mounts, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 5 || len(tail) < 3 {
			continue
		}
		mountRoot, at := head[3], head[4]
		switch tail[0] {
		case "cgroup2":
			l.unified = at
			if !root {
				l.unified = joinMount(at, mountRoot, cgroups[""])
			}
		case "cgroup":
			for _, controller := range strings.Split(tail[2], ",") {
				if path, ok := cgroups[controller]; ok {
					l.v1[controller] = joinMount(at, mountRoot, path)
				}
			}
		}
	}
	return l
}

// joinMount maps a cgroup path to a path below a mount of mountRoot.
func joinMount(at, mountRoot, path string) string {
	rest := strings.TrimPrefix(path, strings.TrimSuffix(mountRoot, "/"))
	return filepath.Join(at, rest)
}

// Cgroup is the cgroups of one container. A nil Cgroup limits nothing.
type Cgroup struct {
	Notes  []string // limits that could not be set
	dirs   []string
	rlimit int    // of processes, where no cgroup limits them; 0: none
	events string // file with the number of OOM kills
}

// Create creates the cgroups of a container. Limits that could not be set are in
// its Notes.
func (l Limiter) Create(name string, cpu float64, memory int64, processes int) *Cgroup {
	g := &Cgroup{}
	if memory > 0 {
		if err := l.memory(g, name, memory); err != nil {
			g.Notes = append(g.Notes, fmt.Sprintf("memory limit not enforced: %v", err))
		}
	}
	if cpu > 0 {
		if err := l.cpu(g, name, cpu); err != nil {
			g.Notes = append(g.Notes, fmt.Sprintf("cpu limit not enforced: %v", err))
		}
	}
	if processes > 0 {
		err := l.processes(g, name, processes)
		switch {
		case err == nil:
		case canLimitUserProcesses():
			g.rlimit = processes
		default:
			g.Notes = append(g.Notes, fmt.Sprintf("process limit not enforced: %v", err))
		}
	}
	return g
}

func (l Limiter) memory(g *Cgroup, name string, bytes int64) error {
	limit := strconv.FormatInt(bytes, 10)
	if parent, ok := l.v1["memory"]; ok {
		dir, err := g.makeDir(parent, name)
		if err != nil {
			return err
		}
		if err := writeControl(dir, "memory.limit_in_bytes", limit); err != nil {
			return err
		}
		_ = writeControl(dir, "memory.memsw.limit_in_bytes", limit) // only where swap is accounted
		g.events = filepath.Join(dir, "memory.oom_control")
		return nil
	}
	dir, err := l.unifiedDir(g, name, "memory")
	if err != nil {
		return err
	}
	if err := writeControl(dir, "memory.max", limit); err != nil {
		return err
	}
	_ = writeControl(dir, "memory.swap.max", "0") // only where there is swap
	_ = writeControl(dir, "memory.oom.group", "1")
	g.events = filepath.Join(dir, "memory.events")
	return nil
}

func (l Limiter) cpu(g *Cgroup, name string, cores float64) error {
	const period = 100_000 // microseconds
	quota := strconv.Itoa(max(1000, int(cores*period)))
	if parent, ok := l.v1["cpu"]; ok {
		dir, err := g.makeDir(parent, name)
		if err != nil {
			return err
		}
		if err := writeControl(dir, "cpu.cfs_period_us", strconv.Itoa(period)); err != nil {
			return err
		}
		return writeControl(dir, "cpu.cfs_quota_us", quota)
	}
	dir, err := l.unifiedDir(g, name, "cpu")
	if err != nil {
		return err
	}
	return writeControl(dir, "cpu.max", quota+" "+strconv.Itoa(period))
}

func (l Limiter) processes(g *Cgroup, name string, limit int) error {
	makeDir := func() (string, error) { return l.unifiedDir(g, name, "pids") }
	if parent, ok := l.v1["pids"]; ok {
		makeDir = func() (string, error) { return g.makeDir(parent, name) }
	}
	dir, err := makeDir()
	if err != nil {
		return err
	}
	return writeControl(dir, "pids.max", strconv.Itoa(limit))
}

// unifiedDir creates the cgroup and enables a controller for it.
func (l Limiter) unifiedDir(g *Cgroup, name, controller string) (string, error) {
	if l.unified == "" {
		return "", fmt.Errorf("this machine has no cgroup controller %q", controller)
	}
	has, err := os.ReadFile(filepath.Join(l.unified, "cgroup.controllers"))
	if err != nil {
		return "", err
	}
	if !strings.Contains(" "+strings.TrimSpace(string(has))+" ", " "+controller+" ") {
		return "", fmt.Errorf("the cgroup controller %q is not available in %s", controller, l.unified)
	}
	if err := writeControl(l.unified, "cgroup.subtree_control", "+"+controller); err != nil {
		return "", fmt.Errorf("%w (run it by `systemd-run --user --scope -p Delegate=yes`, or as root)", err)
	}
	return g.makeDir(l.unified, name)
}

// makeDir creates the cgroup in a hierarchy once.
func (g *Cgroup) makeDir(parent, name string) (string, error) {
	dir := filepath.Join(parent, "slipway-"+name)
	for _, d := range g.dirs {
		if d == dir {
			return dir, nil
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	g.dirs = append(g.dirs, dir)
	return dir, nil
}

func writeControl(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return nil
}

func (g *Cgroup) paths() []string {
	if g == nil {
		return nil
	}
	return g.dirs
}

// add moves a process into the cgroups. If that is not permitted, the container
// runs without limits and its notes mention it.
func (g *Cgroup) add(pid int) {
	for _, dir := range g.paths() {
		if err := writeControl(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			g.Notes = append(g.Notes, fmt.Sprintf("limits of %s not enforced: %v", filepath.Dir(dir), err))
		}
	}
	if g != nil && g.rlimit > 0 {
		if err := limitUserProcesses(pid, g.rlimit); err != nil {
			g.Notes = append(g.Notes, fmt.Sprintf("process limit not enforced: %v", err))
		}
	}
}

// OOMKilled reports whether the kernel killed a process in the cgroup for
// reaching the memory limit.
func (g *Cgroup) OOMKilled() bool {
	if g == nil || g.events == "" {
		return false
	}
	content, err := os.ReadFile(g.events)
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(content), "\n") {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n) != "0"
		}
	}
	return false
}

// Remove removes the cgroups. Their processes must have exited.
func (g *Cgroup) Remove() { RemoveCgroups(g.paths()) }

// RemoveCgroups removes the cgroups of a container of a previous process.
func RemoveCgroups(dirs []string) {
	for _, dir := range dirs {
		if strings.HasPrefix(filepath.Base(dir), "slipway-") {
			_ = os.Remove(dir) // it is gone, or still in use by another process
		}
	}
}

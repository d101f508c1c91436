//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is a running process that belongs to a project.
type process struct {
	pid     int
	command string
	environ string
}

func (p process) String() string { return fmt.Sprintf("%d %s", p.pid, p.command) }

// processes lists those of the project (its folder is in the command line, the
// environment or the working folder) whose command or environment contains text.
func (p *project) processes(text string) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := readProcess(pid)
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if mentions(proc.command+"\n"+proc.environ+"\n"+cwd+"\n", p.base) && strings.Contains(proc.command+"\n"+proc.environ, text) {
			found = append(found, proc)
		}
	}
	return found
}

// mentions reports whether text contains the path or one below it, rather than a
// longer name.
func mentions(text, path string) bool {
	for _, end := range []string{"/", "\n", " "} {
		if strings.Contains(text, path+end) {
			return true
		}
	}
	return false
}

func readProcess(pid int) process {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if state, err := os.ReadFile(filepath.Join(dir, "stat")); err != nil || isZombie(string(state)) {
		return process{pid: pid}
	}
	command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
	return process{pid, strings.ReplaceAll(string(command), "\x00", " "), strings.ReplaceAll(string(environ), "\x00", "\n")}
}

// isZombie reads the state in /proc/PID/stat, which follows the name in brackets.
func isZombie(stat string) bool {
	after := stat[strings.LastIndexByte(stat, ')')+1:]
	return strings.HasPrefix(strings.TrimSpace(after), "Z")
}

// killAll kills all remaining processes of the project, by PID.
func (p *project) killAll() {
	for range 20 {
		left := p.processes("")
		if len(left) == 0 {
			return
		}
		for _, proc := range left {
			_ = syscall.Kill(proc.pid, syscall.SIGKILL)
		}
	}
}

// supervisors are the processes that keep the project's services.
func (p *project) supervisors() []process { return p.processes(" supervise --dir ") }

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// component is a process of the cluster.
type component struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startComponent starts the command, and appends its output to the log.
func startComponent(name, logPath string, cmd *exec.Cmd) (*component, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // keeps Ctrl-C away from it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &component{name, cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.exited) }()
	return p, nil
}

// kill kills the component, the only child of nsenter, and waits until it has exited.
func (p *component) kill() {
	for p.isRunning() {
		for _, pid := range findProcesses(func(pid int) bool { return parentPID(pid) == p.cmd.Process.Pid }) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-p.exited:
		case <-time.After(pollInterval / 5):
		}
	}
}

// isRunning reports whether the component has not exited.
func (p *component) isRunning() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// environment returns this process's environment without proxy settings: the cluster
// is local.
func environment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(strings.ToLower(kv), "=")
		return strings.HasSuffix(name, "_proxy") || name == "kubeconfig"
	}), "KUBECTL_KUBERC=false")
}

// maxLineBytes is the maximum length of a log line in Logs.
const maxLineBytes = 300

// logTails returns the end of every log in the folder.
func logTails(dir string, lines int) string {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	var b strings.Builder
	for _, path := range paths {
		b.WriteString(tailOf(path, filepath.Base(path), lines))
	}
	return b.String()
}

// tailOf returns the end of a log under its name, or nothing if there is none.
func tailOf(path, name string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil || len(content) == 0 {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "==> %s\n", name)
	for _, line := range all[max(0, len(all)-lines):] {
		fmt.Fprintln(&b, strings.ToValidUTF8(line[:min(len(line), maxLineBytes)], ""))
	}
	return b.String()
}

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

// part is a component that runs in the room.
type part struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
}

// startPart runs the command with its output at the end of the log.
func startPart(name, logPath string, cmd *exec.Cmd) (*part, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, direct()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us, not for it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &part{name, cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	return p, nil
}

// kill kills the component, which is the only child of nsenter, and returns when it
// is gone.
func (p *part) kill() {
	for p.running() {
		for _, pid := range processes(func(pid int) bool { return parent(pid) == p.cmd.Process.Pid }) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-p.ended:
		case <-time.After(poll / 5):
		}
	}
}

// running tells whether it has not ended.
func (p *part) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// direct is this process's environment without the ways to a proxy: the cluster is
// on this machine.
func direct() []string {
	return append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(strings.ToLower(kv), "=")
		return strings.HasSuffix(name, "_proxy") || name == "kubeconfig"
	}), "KUBECTL_KUBERC=false")
}

// width is how much of a log's line is shown.
const width = 300

// tails is the end of every log in the folder.
func tails(dir string, lines int) string {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	var b strings.Builder
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil || len(content) == 0 {
			continue
		}
		all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
		fmt.Fprintf(&b, "==> %s\n", filepath.Base(path))
		for _, line := range all[max(0, len(all)-lines):] {
			fmt.Fprintln(&b, strings.ToValidUTF8(line[:min(len(line), width)], ""))
		}
	}
	return b.String()
}

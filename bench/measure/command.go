package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Command prepares a command in a folder, with a neutral environment.
func Command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SLIPWAY_") && !strings.HasPrefix(kv, "GITHUB_") && !strings.HasPrefix(kv, "DATA=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=b@example.com",
		"GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=b@example.com", "SLIPWAY_ACTOR=bench")
	return cmd
}

// Exec runs a command, which must exit with the given code, and returns its stdout.
func Exec(ctx context.Context, code int, dir, name string, args ...string) (string, error) {
	return ExecCmd(Command(ctx, dir, name, args...), code)
}

// ExecCmd is Exec for a prepared command.
func ExecCmd(cmd *exec.Cmd, code int) (string, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		return "", fmt.Errorf("%s %s: %w, want exit %d\n%s%s", filepath.Base(cmd.Path), strings.Join(cmd.Args[1:], " "), err, code, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// ProcessUsage is the peak resident memory of a process, and how it exited.
type ProcessUsage struct {
	PeakKB int
	Err    error
}

// WatchProcess polls a process's peak resident memory until it has exited.
func WatchProcess(pid int, ended <-chan error) (m ProcessUsage) {
	for {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			for line := range strings.Lines(string(text)) {
				if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
					m.PeakKB = max(m.PeakKB, kb)
				}
			}
		}
		select {
		case m.Err = <-ended:
			return m
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// RemoveAll removes a folder recursively, including read-only subfolders as of
// downloaded models.
func RemoveAll(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

//go:build linux

package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// processRecord lists what a container would leave behind if this process were
// killed.
type processRecord struct {
	Boot      string    `json:"boot"`
	Processes []process `json:"processes"`
	Cgroups   []string  `json:"cgroups,omitempty"`
}

// process is identified by its PID and start time, since PIDs are reused.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // clock ticks since boot
}

// writeProcessRecord records a container before it starts. On failure the
// container still ends with this process, but leftovers would not be cleaned up.
func writeProcessRecord(dir, file string, b container.Started) {
	t := processRecord{Boot: bootID(), Cgroups: b.Cgroups}
	for _, pid := range b.PIDs {
		if start, ok := startTime(pid); ok {
			t.Processes = append(t.Processes, process{pid, start})
		}
	}
	raw, err := json.Marshal(t)
	if err == nil {
		_ = os.WriteFile(filepath.Join(dir, "run", file), raw, 0o600)
	}
}

func removeProcessRecord(dir, file string) { os.Remove(filepath.Join(dir, "run", file)) }

// killOrphans kills what a previous supervisor left running.
func killOrphans(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "run", "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var t processRecord
		if json.Unmarshal(raw, &t) == nil { // otherwise it was truncated before the container started
			if err := t.killAll(ctx); err != nil {
				return err
			}
		}
		os.Remove(file)
	}
	for _, pid := range container.FindMarked(container.ProcessMark(dir)) {
		start, ok := startTime(pid)
		if !ok {
			continue
		}
		if err := killProcess(ctx, process{pid, start}); err != nil {
			return fmt.Errorf("kill process %d of a previous supervisor: %w", pid, err)
		}
	}
	return nil
}

func (t processRecord) killAll(ctx context.Context) error {
	for _, p := range t.Processes {
		if start, ok := startTime(p.PID); t.Boot != bootID() || !ok || start != p.Start {
			continue
		}
		if err := killProcess(ctx, p); err != nil {
			return fmt.Errorf("kill process %d of a previous supervisor: %w", p.PID, err)
		}
	}
	container.RemoveCgroups(t.Cgroups)
	return nil
}

// killProcess kills a process and waits until it is gone.
func killProcess(ctx context.Context, p process) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil // it is gone
	}
	defer unix.Close(fd)
	if start, ok := startTime(p.PID); !ok || start != p.Start {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, syscall.SIGKILL, nil, 0); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return waitExit(ctx, fd)
}

// waitExit waits until the process of a pidfd has exited.
func waitExit(ctx context.Context, fd int) error {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, int((100 * time.Millisecond).Milliseconds()))
		if n > 0 || err != nil && !errors.Is(err, syscall.EINTR) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// startTime returns the start time of a process. It reports false for a zombie.
func startTime(pid int) (string, bool) {
	fields := statFields("/proc", pid)
	if len(fields) < 20 || fields[0] == "Z" {
		return "", false
	}
	return fields[19], true
}

// statFields returns what the kernel tells about a process: its state, its parent and so
// on, as in proc(5) from the third field on.
func statFields(proc string, pid int) []string {
	raw, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat")) // it has exited
	// The name in parentheses may contain anything: start after the last one.
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
}

func bootID() string {
	raw, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it, only start times are compared
	return strings.TrimSpace(string(raw))
}

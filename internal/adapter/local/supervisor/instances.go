//go:build linux

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Instance is a supervisor that runs.
type Instance struct {
	PID     int
	Started string // clock ticks since boot: PIDs are reused
	Dir     string // state folder that it was started for
	MovedTo string // where that is now, if it was moved
	Removed bool   // it is gone
	State   State  // what it runs; empty if it is of an earlier version, and its folder is gone
}

// processTitle and its command are how a supervisor is started, see local.Target.
const processTitle, processCommand = "slipway", "supervise"

// Instances returns the supervisors of this user in this process namespace, by PID.
func Instances(proc string) []Instance {
	var found []Instance
	entries, _ := os.ReadDir(proc) // without it no process is found
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if s, ok := examine(proc, pid); ok {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b Instance) int { return a.PID - b.PID })
	return found
}

// examine returns the supervisor that a process is, if it is one of this user.
func examine(proc string, pid int) (s Instance, ok bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	info, err := os.Stat(dir)
	if err != nil {
		return s, false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return s, false
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return s, false
	}
	args := strings.Split(string(line), "\x00")
	i := slices.Index(args, "--dir")
	if len(args) < 2 || args[0] != processTitle || args[1] != processCommand || i < 0 || i+1 >= len(args) || !sameNamespace(proc, dir) {
		return s, false
	}
	s = Instance{PID: pid, Dir: args[i+1], State: State{Environments: map[string]EnvironmentState{}}}
	if s.Started, ok = startTime(pid); !ok {
		return s, false
	}
	s.readFiles(dir)
	return s, true
}

// sameNamespace reports whether a process is in this one's process namespace, rather
// than in a container, whose commands see it.
func sameNamespace(proc, dir string) bool {
	ours, err := os.Readlink(filepath.Join(proc, "self/ns/pid"))
	if err != nil {
		return true
	}
	theirs, err := os.Readlink(filepath.Join(dir, "ns/pid"))
	return err == nil && ours == theirs
}

// readFiles finds the open files of the supervisor that show where its folder is, and
// what it runs.
func (s *Instance) readFiles(process string) {
	files, _ := filepath.Glob(filepath.Join(process, "fd/*")) // the pattern is well-formed
	known := false
	for _, file := range files {
		to, err := os.Readlink(file)
		if err != nil {
			continue
		}
		switch name := strings.TrimSuffix(filepath.Base(to), deletedSuffix); name {
		case lockFile:
			s.MovedTo, s.Removed, _ = whereabouts(s.Dir, file) // otherwise it has exited
		case "memfd:" + memoryFile:
			raw, err := os.ReadFile(file)
			known = err == nil && json.Unmarshal(raw, &s.State) == nil
		}
	}
	if !known && !s.Removed { // of an earlier version
		dir := s.Dir
		if s.MovedTo != "" {
			dir = s.MovedTo
		}
		if state, err := ReadState(dir); err == nil {
			s.State = state
		}
	}
}

// maxStop is how long a supervisor may take to exit: for requests in flight, and then
// for replicas that ignore SIGTERM.
const maxStop = 90 * time.Second

// Stop ends a supervisor with its replicas, and waits until it has exited.
func (s Instance) Stop(ctx context.Context) error {
	fd, err := unix.PidfdOpen(s.PID, 0)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop supervisor %d: %w", s.PID, err)
	}
	defer unix.Close(fd)
	if start, ok := startTime(s.PID); !ok || start != s.Started {
		return nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} { // it may be stopped
		if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop supervisor %d: %w", s.PID, err)
		}
	}
	late := fault.New(fault.Unavailable, "stop supervisor %d: it has not exited within %s", s.PID, maxStop).
		Hint("`kill -9 %d` ends it, and its replicas with it", s.PID)
	ctx, cancel := context.WithTimeoutCause(ctx, maxStop, late)
	defer cancel()
	return waitExit(ctx, fd)
}

// describeProcess describes a supervisor of this user that holds what is needed here.
func describeProcess(proc string, pid int) string {
	s, ok := examine(proc, pid)
	switch {
	case !ok:
		return ""
	case s.Removed:
		return fmt.Sprintf("supervisor %d of %s, which was removed; `slipway down --all` ends it", pid, s.Dir)
	case s.MovedTo != "":
		return fmt.Sprintf("supervisor %d of %s, which was moved to %s; `slipway down --all` ends it", pid, s.Dir, s.MovedTo)
	}
	return fmt.Sprintf("supervisor %d of %s", pid, s.Dir)
}

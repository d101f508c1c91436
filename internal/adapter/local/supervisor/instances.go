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

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
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

// examine returns the supervisor that a process is, if it is one of this user. Supervisors
// are closed to others of their user: what is asked here are files of /proc that all may
// read.
func examine(proc string, pid int) (s Instance, ok bool) {
	args := commandLine(proc, pid)
	i := slices.Index(args, "--dir")
	if len(args) < 2 || args[0] != processTitle || args[1] != processCommand || i < 0 || i+1 >= len(args) || !isOurs(proc, pid) {
		return s, false
	}
	s = Instance{PID: pid, Dir: args[i+1], State: State{Environments: map[string]EnvironmentState{}}}
	if s.Started, ok = startTime(pid); !ok {
		return s, false
	}
	s.readFiles(proc)
	return s, true
}

// commandLine returns the arguments of a process.
func commandLine(proc string, pid int) []string {
	line, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline")) // it has exited
	return strings.Split(string(line), "\x00")
}

// isOurs reports whether a process is of this user, and in this process namespace, rather
// than in a container, whose commands see it.
func isOurs(proc string, pid int) bool {
	raw, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	owned, here := false, true
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		switch fields := strings.Fields(value); key {
		case "Uid": // real, effective, saved, of the file system
			owned = len(fields) > 1 && fields[1] == strconv.Itoa(os.Geteuid())
		case "NSpid": // in each namespace from this one on
			here = len(fields) == 1
		}
	}
	return owned && here
}

// launcherOf returns the process that starts containers for a supervisor, which holds the
// files that it shows; 0: none.
func launcherOf(proc string, supervisor int) int {
	entries, _ := os.ReadDir(proc) // without it no process is found
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		args := commandLine(proc, pid)
		if len(args) < 2 || args[0] != processTitle || args[1] != container.LaunchCommand {
			continue
		}
		if stat := statFields(proc, pid); len(stat) > 1 && stat[1] == strconv.Itoa(supervisor) {
			return pid
		}
	}
	return 0
}

// readFiles finds the open files of the supervisor, or those that it shows, which tell
// where its folder is, and what it runs.
func (s *Instance) readFiles(proc string) {
	known := s.readFilesOf(proc, s.PID)
	if !known {
		known = s.readFilesOf(proc, launcherOf(proc, s.PID))
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

// readFilesOf reads those of one process; known is true if what it runs is among them.
func (s *Instance) readFilesOf(proc string, pid int) (known bool) {
	files, _ := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "fd/*")) // the pattern is well-formed
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
	return known
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
	if !ok {
		return ""
	}
	return s.String()
}

// String describes the supervisor, with how to end one that has lost its folder.
func (s Instance) String() string {
	switch {
	case s.Removed:
		return fmt.Sprintf("supervisor %d of %s, which was removed; `slipway down --all` ends it", s.PID, s.Dir)
	case s.MovedTo != "":
		return fmt.Sprintf("supervisor %d of %s, which was moved to %s; `slipway down --all` ends it", s.PID, s.Dir, s.MovedTo)
	}
	return fmt.Sprintf("supervisor %d of %s", s.PID, s.Dir)
}

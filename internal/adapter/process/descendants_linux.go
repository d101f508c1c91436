package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

// bootID names the time since the machine was started.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// procStat holds the fields of /proc/PID/stat that matter here.
type procStat struct {
	state   byte
	group   int
	session int
	since   uint64
}

func readStat(pid int) (procStat, bool) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	end := bytes.LastIndexByte(raw, ')') // the name before it may hold anything
	if err != nil || end < 0 {
		return procStat{}, false
	}
	f := strings.Fields(string(raw[end+1:]))
	if len(f) < 20 {
		return procStat{}, false
	}
	group, err1 := strconv.Atoi(f[2])
	session, err2 := strconv.Atoi(f[3])
	since, err3 := strconv.ParseUint(f[19], 10, 64)
	return procStat{f[0][0], group, session, since}, errors.Join(err1, err2, err3) == nil
}

func (s procStat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// groupAlive does not count the dead that have not been reaped: in a container
// there may be no process that would.
func groupAlive(pid int) bool {
	if err := syscall.Kill(-pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	for _, p := range processes() {
		if s, ok := readStat(p); ok && s.group == pid && !s.dead() {
			return true
		}
	}
	return false
}

// processes are the IDs of all processes.
func processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

func startTime(pid int) uint64 { s, _ := readStat(pid); return s.since }

// runnerAlive reports whether the recorded process is alive: the kernel reuses IDs.
func runnerAlive(runner startRecord) bool {
	s, ok := readStat(runner.PID)
	return ok && !s.dead() && s.since == runner.Since && runner.Boot == bootID()
}

func signalRunner(runner startRecord) { _ = syscall.Kill(runner.PID, syscall.SIGTERM) }

// endProcesses ends all processes of the job except the caller: SIGTERM, and after the
// grace SIGKILL. It returns once they are gone.
func endProcesses(ctx context.Context, folder string, runner startRecord, grace time.Duration) error {
	kill := time.After(grace)
	giveUp := time.After(grace + 10*time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	send, signalled := syscall.SIGTERM, map[int]bool{}
	for {
		left := jobProcesses(folder, runner)
		if len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			if send == syscall.SIGKILL || !signalled[pid] {
				signalled[pid] = true
				_ = syscall.Kill(pid, send)
			}
		}
		select {
		case <-kill:
			send = syscall.SIGKILL
		case <-giveUp:
			return fault.New(fault.Failed, "end the job in %s: process %d does not end, even after kill -9", folder, left[0]).
				Hint("it hangs in the kernel, often on a network file system: inspect it with `ps -o pid,stat,wchan -p %d`", left[0])
		case <-ctx.Done():
			return fmt.Errorf("end the job in %s: %w", folder, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// jobProcesses are the job's living processes: those with its marker, and those
// of its session if that can only be its own.
func jobProcesses(folder string, runner startRecord) []int {
	variable := []byte(jobVariable + "=" + folder)
	ownSession := runner.PID > 1 && runner.Boot == bootID() && (runnerAlive(runner) || !processExists(runner.PID))
	var out []int
	for _, pid := range processes() {
		s, ok := readStat(pid)
		if ok && pid != os.Getpid() && !s.dead() && (ownSession && s.session == runner.PID || hasVariable(pid, variable)) {
			out = append(out, pid)
		}
	}
	return out
}

// processExists reports whether any process has the ID.
func processExists(pid int) bool { _, ok := readStat(pid); return ok }

func hasVariable(pid int, variable []byte) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false // another process's
	}
	for kv := range bytes.SplitSeq(raw, []byte{0}) {
		if bytes.Equal(kv, variable) {
			return true
		}
	}
	return false
}

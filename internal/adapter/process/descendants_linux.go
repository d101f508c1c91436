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

// stat holds the fields of /proc/PID/stat that matter here.
type stat struct {
	state   byte
	group   int
	session int
	since   uint64
}

func readStat(pid int) (stat, bool) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	end := bytes.LastIndexByte(raw, ')') // the name before it may hold anything
	if err != nil || end < 0 {
		return stat{}, false
	}
	f := strings.Fields(string(raw[end+1:]))
	if len(f) < 20 {
		return stat{}, false
	}
	group, err1 := strconv.Atoi(f[2])
	session, err2 := strconv.Atoi(f[3])
	since, err3 := strconv.ParseUint(f[19], 10, 64)
	return stat{f[0][0], group, session, since}, errors.Join(err1, err2, err3) == nil
}

func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

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

// alive reports whether that very process lives: IDs are used again.
func alive(who started) bool {
	s, ok := readStat(who.PID)
	return ok && !s.dead() && s.since == who.Since && who.Boot == bootID()
}

func signalRunner(who started) { _ = syscall.Kill(who.PID, syscall.SIGTERM) }

// endAll ends all processes of the job except the caller: SIGTERM, and after the
// grace SIGKILL. It returns once they are gone.
func endAll(ctx context.Context, folder string, who started, grace time.Duration) error {
	kill := time.After(grace)
	giveUp := time.After(grace + 10*time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	send, asked := syscall.SIGTERM, map[int]bool{}
	for {
		left := members(folder, who)
		if len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			if send == syscall.SIGKILL || !asked[pid] {
				asked[pid] = true
				_ = syscall.Kill(pid, send)
			}
		}
		select {
		case <-kill:
			send = syscall.SIGKILL
		case <-giveUp:
			return fault.New(fault.Failed, "end the job in %s: process %d does not go, even by kill -9", folder, left[0]).
				Hint("it hangs in the kernel, often on a network file system: look with `ps -o pid,stat,wchan -p %d`", left[0])
		case <-ctx.Done():
			return fmt.Errorf("end the job in %s: %w", folder, context.Cause(ctx))
		case <-again.C:
		}
	}
}

// members are the job's living processes: those with its marker, and those
// of its session if that can only be its own.
func members(folder string, who started) []int {
	mark := []byte(marker + "=" + folder)
	ours := who.PID > 1 && who.Boot == bootID() && (alive(who) || !anyone(who.PID))
	var out []int
	for _, pid := range processes() {
		s, ok := readStat(pid)
		if ok && pid != os.Getpid() && !s.dead() && (ours && s.session == who.PID || marked(pid, mark)) {
			out = append(out, pid)
		}
	}
	return out
}

// anyone reports whether any process has the ID.
func anyone(pid int) bool { _, ok := readStat(pid); return ok }

func marked(pid int, mark []byte) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false // another process's
	}
	for kv := range bytes.SplitSeq(raw, []byte{0}) {
		if bytes.Equal(kv, mark) {
			return true
		}
	}
	return false
}

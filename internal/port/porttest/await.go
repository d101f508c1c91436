package porttest

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Await polls ok until it returns true, and fails the test after 20 seconds.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out after 20s waiting until %s", what)
		}
	}
}

// ProcessRunning reports whether the process runs; a zombie does not.
func ProcessRunning(pid string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		return false
	}
	if raw, err := os.ReadFile("/proc/" + strconv.Itoa(n) + "/stat"); err == nil {
		_, after, _ := strings.Cut(string(raw), ") ")
		return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
	}
	p, err := os.FindProcess(n)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

// Package memorytest measures how much memory a piece of a test takes.
package memorytest

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// measured is in the environment of the process that is measured: the name of the test.
const measured = "MEASURED_TEST"

// Run runs body as a process of its own, the test that calls it once more, and fails the
// test if the memory of that process grows by more than maxBytes: by its peak, not by
// what is left at the end. Where the system does not report a peak, body runs without
// being measured, and the race detector may take ten times as much. It must be the only
// thing in its test.
func Run(t *testing.T, maxBytes int64, body func()) {
	t.Helper()
	maxBytes *= raceFactor
	_, known := status("VmRSS")
	switch {
	case !known:
		body()
		return
	case os.Getenv(measured) == t.Name():
		runtime.GC()
		before, _ := status("VmRSS")
		body()
		after, _ := status("VmHWM")
		t.Logf("%s%d", growth, max(0, after-before))
		return
	}
	pattern := "^" + strings.Join(strings.Split(regexp.QuoteMeta(t.Name()), "/"), "$/^") + "$"
	cmd := exec.Command(os.Args[0], "-test.run="+pattern, "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), measured+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the measured process: %v\n%s", err, out)
	}
	_, number, found := strings.Cut(string(out), growth)
	number, _, _ = strings.Cut(number, "\n")
	took, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil {
		t.Fatalf("the measured process reported no memory:\n%s", out)
	}
	t.Logf("memory: %.1f MiB at the peak, of at most %.1f MiB", float64(took)/(1<<20), float64(maxBytes)/(1<<20))
	if took > maxBytes {
		t.Errorf("it took %d bytes of memory, want at most %d", took, maxBytes)
	}
}

// growth precedes the number of bytes in the output of the measured process.
const growth = "memory grew by "

// status returns a size in /proc/self/status, in bytes.
func status(field string) (size int64, known bool) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, rest, known := strings.Cut(string(text), "\n"+field+":")
	rest, _, _ = strings.Cut(rest, "kB")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	return kilobytes << 10, known && err == nil
}

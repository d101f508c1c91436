package memorytest_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestRun_Fails: memory beyond the bound fails a test, even if it was given back.
func TestRun_Fails(t *testing.T) {
	const variable = "TAKE_TOO_MUCH"
	if os.Getenv(variable) != "" {
		memorytest.Run(t, 32<<20, func() { take(512 << 20) })
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system reports no peak")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRun_Fails$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bytes of memory, want at most") {
		t.Errorf("512 MiB within 32 MiB: %v\n%s", err, out)
	}
}

func TestRun_Passes(t *testing.T) {
	memorytest.Run(t, 32<<20, func() { take(8 << 20) })
}

// take uses every page of so many bytes.
func take(size int) { bytes.ContainsAny(bytes.Repeat([]byte("ab"), size/2), "c") }

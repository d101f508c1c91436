package arch_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxInitBytes bounds what one of our packages may allocate before main begins: every
// command pays for it, `slipway version` too.
const maxInitBytes = 600e3

// initLine is a line of GODEBUG=inittrace=1. Source: the documentation of package runtime.
var initLine = regexp.MustCompile(`(?m)^init (\S+) .* (\d+) bytes, \d+ allocs$`)

// TestStart_Inits: no package of ours does much work at the start of the program, such
// as compiling a large pattern. Bytes are the same on every machine; times are not.
func TestStart_Inits(t *testing.T) {
	path := os.Getenv("SLIPWAY_BIN")
	if path == "" {
		t.Skip("SLIPWAY_BIN names no program")
	}
	cmd := exec.Command(path, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	ours := 0
	for _, m := range initLine.FindAllStringSubmatch(string(out), -1) {
		if !strings.HasPrefix(m[1], "github.com/slipway-cd/slipway/") {
			continue
		}
		ours++
		if bytes, err := strconv.Atoi(m[2]); err != nil || bytes > maxInitBytes {
			t.Errorf("%s allocates %s bytes at every start, at most %.0f are allowed", m[1], m[2], maxInitBytes)
		}
	}
	if ours == 0 {
		t.Errorf("no package of ours in\n%s", out)
	}
}

package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestRun_EndlessOutput: a git that prints without end is ended.
func TestRun_EndlessOutput(t *testing.T) {
	memorytest.Run(t, 3*maxOutput, func() {
		program := filepath.Join(t.TempDir(), "git")
		if err := os.WriteFile(program, []byte("#!/bin/sh\nexec cat /dev/zero\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Source{Dir: t.TempDir(), Program: program}.run(t.Context(), command{args: []string{"ls-tree"}})
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "more than 268435456 bytes") {
			t.Errorf("error = %v, want %s", err, fault.Exhausted)
		}
	})
}

// TestRun_ManyWarnings: what git warns of is not kept whole, and git goes on.
func TestRun_ManyWarnings(t *testing.T) {
	program := filepath.Join(t.TempDir(), "git")
	script := "#!/bin/sh\nhead -c 1000000 /dev/zero >&2\necho done\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Source{Dir: t.TempDir(), Program: program}.run(t.Context(), command{args: []string{"add"}})
	if got != "done\n" || err != nil {
		t.Errorf("output = %q, error = %v, want %q", got, err, "done\n")
	}
}

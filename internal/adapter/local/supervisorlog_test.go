//go:build linux

package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSupervisorLog_Rotates: whoever makes a supervisor log without end fills two files,
// and what goes past its logger is in the newest.
func TestSupervisorLog_Rotates(t *testing.T) {
	const variable = "LOG_WITHOUT_END"
	if dir := os.Getenv(variable); dir != "" {
		log := newRotatingLog(dir, os.Stderr)
		for i := range 100_000 {
			fmt.Fprintf(log, "%06d %s\n", i, strings.Repeat("x", 200))
		}
		fmt.Fprintln(os.Stderr, "a panic's last words")
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, supervisorLog)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSupervisorLog_Rotates$")
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), variable+"="+dir), file, file
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 || info.Size() > maxSupervisorLog+1<<10 {
			t.Errorf("%s: %v, %v, want at most %d bytes", name, info, err, maxSupervisorLog)
		}
	}
	newest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(newest), "099999 xxx") || !strings.Contains(string(newest), "last words") {
		t.Errorf("the newest file ends with %q", newest[max(0, len(newest)-300):])
	}
}

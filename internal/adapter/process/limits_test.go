//go:build unix

package process_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestJob_EndlessLog: a job that prints without end, also without ending a line, fills no
// disk, and its last words are kept.
func TestJob_EndlessLog(t *testing.T) {
	dir := t.TempDir()
	j := jobs(dir)
	job := port.Job{Name: "loud", Command: port.Command{Run: `head -c 150000000 /dev/zero; echo; head -c 50000000 /dev/zero | tr '\0' '\n'; echo the reason`, Dir: dir, Env: os.Environ()}}
	if _, err := j.Submit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if state := porttest.AwaitJob(t, j, "loud"); state.Exit.Code != 0 || state.Reason != "" {
		t.Errorf("state = %+v, want exit code 0", state)
	}
	log, err := j.Log(t.Context(), "loud", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	text, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 63<<20 || !strings.HasSuffix(string(text), "the reason\n") || !strings.Contains(string(text[len(text)-2<<20:]), "bytes were left out here.") {
		t.Errorf("the log has %d bytes and ends with %q", len(text), text[max(0, len(text)-100):])
	}
}

// TestJob_LargeEnvironment: an environment that no system takes is refused before the job
// starts.
func TestJob_LargeEnvironment(t *testing.T) {
	dir := t.TempDir()
	j := jobs(dir)
	job := port.Job{Name: "large", Command: port.Command{Run: "true", Dir: dir, Env: append(os.Environ(), "A="+strings.Repeat("x", 17<<20))}}
	if _, err := j.Submit(t.Context(), job); err == nil || !strings.Contains(err.Error(), "more than 16777216") {
		t.Errorf("error = %v, want one of the size", err)
	}
}

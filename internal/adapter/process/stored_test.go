//go:build unix

package process_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestJobs_OfOlderVersion finds the jobs that commit 16ee5d5 left: one that had ended,
// and one that was running when the machine went down. The files are what that
// version wrote: they never change.
func TestJobs_OfOlderVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "16ee5d5"))); err != nil {
		t.Fatal(err)
	}
	j := jobs(dir)
	const trained, evaluating = "20261124-101502-k3f9-train-1", "20261124-101502-k3f9-evaluate-2"

	want := port.JobState{Found: true, Done: true, Exit: port.Exit{Code: 3}, Outputs: map[string]port.Artifact{}}
	got, err := j.Poll(t.Context(), trained)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the job that had ended (-want +got):\n%s", diff)
	}
	if log := porttest.JobLog(t, j, trained, 8); log != "warning\n" {
		t.Errorf("its log from byte 8: %q", log)
	}
	want = port.JobState{
		Found: true, Done: true, Exit: port.Exit{Code: 137}, Reason: "the machine went down while it ran",
		Outputs: map[string]port.Artifact{},
	}
	if got, err = j.Poll(t.Context(), evaluating); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the job that was cut short (-want +got):\n%s", diff)
	}
	for _, name := range []string{trained, evaluating} {
		h, err := j.Submit(t.Context(), port.Job{Name: name, Command: port.Command{Run: "touch again", Dir: dir, Env: os.Environ()}})
		if err != nil || h != port.JobHandle(name) {
			t.Errorf("submit %s: %q, %v; want it to be known", name, h, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "again")); err == nil {
		t.Error("a job was started a second time")
	}
}

//go:build e2e

package jobrunner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// testTrains hands a job over from process to process: while the pod starts, while the
// command runs, and when it has ended. There is one Job, and its outputs are complete.
func (k *trainingCluster) testTrains(t *testing.T, job port.Job) {
	first := k.open(t, Section{})
	h := submitted(t, first, job)
	name, _ := objectName(h)
	uid := func() string {
		return k.kubectl("-n", k.namespace, "get", "job", name, "-o", "jsonpath={.metadata.uid}")
	}
	made := uid()
	second := k.open(t, Section{})
	submitted(t, second, job)
	await(t, second, h, "prints", func(port.JobState) bool { return logOf(t, second, h) == "trained\n" })
	third := k.open(t, Section{})
	submitted(t, third, job)
	s := await(t, third, h, "done", isDone)
	if s.Exit != (port.Exit{}) || s.Reason != "" || !strings.Contains(s.Image, "@sha256:") {
		t.Errorf("state = %+v, want exit code 0, and the image's digest", s)
	}
	if got := logOf(t, third, h); got != "trained\nend of it's s3cret\n" {
		t.Errorf("log = %q", got)
	}
	paths, err := s.Outputs["model"].Paths()
	if err != nil || len(paths) != 1 {
		t.Fatalf("outputs = %+v, error = %v", s.Outputs, err)
	}
	for name, want := range map[string]string{"m": "b\na\n", "sub/vocab": "x\n"} {
		if text, err := os.ReadFile(filepath.Join(paths[0], name)); err != nil || string(text) != want {
			t.Errorf("output %s = %q, error = %v, want %q", name, text, err, want)
		}
	}
	if now := uid(); now != made {
		t.Errorf("the Job was made again: %s, then %s", made, now)
	}
	if text := k.kubectl("-n", k.namespace, "get", "jobs,pods,secrets,configmaps", "-o", "yaml"); strings.Contains(text, "s3cret") {
		t.Error("a variable of the command is stored in the cluster")
	}
	fourth := k.open(t, Section{})
	submitted(t, fourth, job)
	if s := await(t, fourth, h, "found again", isDone); s.Reason != "" || s.Exit.Code != 0 {
		t.Errorf("found again: %+v, want it as it was", s)
	}
	if left, _ := filepath.Glob(filepath.Dir(paths[0]) + "/.fetch-*"); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

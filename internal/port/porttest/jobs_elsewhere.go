package porttest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestJobsElsewhere holds an adapter to port.Jobs, for one that runs them on other
// machines: a command has copies of its inputs, what it writes to its outputs is fetched
// when it has ended, and its log may have lines that begin with "slipway: ". Training
// writes a model, and evaluation metrics: an adapter may run them in different ways. fresh
// is as in TestJobs.
func TestJobsElsewhere(t *testing.T, fresh func(t *testing.T) (open func() port.Jobs)) {
	t.Run("training", func(t *testing.T) { elsewhere{"model"}.test(t, fresh) })
	t.Run("evaluation", func(t *testing.T) { elsewhere{"metrics"}.test(t, fresh) })
	t.Run("unknown", func(t *testing.T) { testUnknownJob(t, fresh(t)()) })
	t.Run("hostile names", func(t *testing.T) { testJobNames(t, fresh(t)()) })
	t.Run("refuses", func(t *testing.T) { testBadJobs(t, fresh(t)()) })
}

// elsewhere is the suite for jobs with that output.
type elsewhere struct{ output string }

func (e elsewhere) test(t *testing.T, fresh func(t *testing.T) (open func() port.Jobs)) {
	t.Run("runs once", func(t *testing.T) { e.testRunsOnce(t, fresh(t)) })
	t.Run("mounts", func(t *testing.T) { e.testMounts(t, fresh(t)()) })
	t.Run("log", func(t *testing.T) { e.testLog(t, fresh(t)()) })
	t.Run("another content", func(t *testing.T) { e.testAnotherContent(t, fresh(t)) })
	t.Run("stop", func(t *testing.T) { e.testStop(t, fresh(t)) })
	t.Run("timeout", func(t *testing.T) { e.testTimeout(t, fresh(t)()) })
}

// job runs in a checkout, and writes its output; {{output}} in run is its folder.
func (e elsewhere) job(t *testing.T, j port.Jobs, run string) port.Job {
	t.Helper()
	root := t.TempDir()
	checkout := filepath.Join(root, "checkout")
	if err := os.MkdirAll(filepath.Join(checkout, "ml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(checkout, "ml", "a b.txt"), []byte("of the checkout\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	job := port.Job{
		Name:    "20261124-101502-k3f9-" + e.output + ".train-1",
		Command: port.Command{Dir: filepath.Join(checkout, "ml"), Env: []string{"GREETING=it's me"}, Timeout: time.Hour},
		Inputs:  map[string]port.Artifact{"checkout": port.FileArtifact("", checkout)},
		Outputs: map[string]string{e.output: port.FileURI(filepath.Join(root, "out", e.output))},
	}
	mounts, err := j.Mounts(job)
	if err != nil || len(mounts[e.output]) != 1 {
		t.Fatalf("mounts %q, %v", mounts, err)
	}
	job.Command.Run = strings.ReplaceAll(run, "{{output}}", "'"+mounts[e.output][0]+"'")
	return job
}

// ownLines are those of the command.
func ownLines(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "slipway: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (e elsewhere) outputFile(t *testing.T, job port.Job, name string) string {
	t.Helper()
	dir, err := port.FilePath(job.Outputs[e.output])
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func (e elsewhere) testRunsOnce(t *testing.T, open func() port.Jobs) {
	job := e.job(t, open(), `echo said; echo more >&2; cat "a b.txt" > {{output}}/m; echo "$GREETING" >> {{output}}/m`)
	handles := make([]port.JobHandle, 4)
	var wait sync.WaitGroup
	for i := range handles {
		wait.Go(func() {
			var err error
			if handles[i], err = open().Submit(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	last := open() // as if the process had been started again
	h := submit(t, last, job)
	for _, other := range handles {
		if other != h {
			t.Errorf("two handles of one job: %q and %q", h, other)
		}
	}
	if s := AwaitJob(t, last, h); s.Exit != (port.Exit{}) || s.Reason != "" {
		t.Errorf("ended with %+v, reason %q; want neither", s.Exit, s.Reason)
	}
	if diff := cmp.Diff([]string{"more", "said"}, sortedLines(JobLog(t, last, h, 0))); diff != "" {
		t.Errorf("it ran another number of times than one (-want +got):\n%s", diff)
	}
	if text := e.outputFile(t, job, "m"); text != "of the checkout\nit's me\n" {
		t.Errorf("output %q", text)
	}
	again := open()
	submit(t, again, job)
	if s := AwaitJob(t, again, h); s.Exit.Code != 0 || e.outputFile(t, job, "m") == "" {
		t.Errorf("found again after its end: %+v", s)
	}
	if err := again.Stop(t.Context(), h); err != nil {
		t.Errorf("stop of one that ended: %v", err)
	}
}

func sortedLines(log string) []string {
	lines := ownLines(log)
	if len(lines) == 2 && lines[0] > lines[1] { // two streams have no order
		lines[0], lines[1] = lines[1], lines[0]
	}
	return lines
}

func (e elsewhere) testMounts(t *testing.T, j port.Jobs) {
	job := e.job(t, j, "")
	dir := filepath.Join(t.TempDir(), "data of it")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var data port.Artifact
	for _, name := range []string{"b 1.csv", "it's.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		data.URIs = append(data.URIs, port.FileURI(filepath.Join(dir, name)))
	}
	job.Inputs["data"] = data
	mounts, err := j.Mounts(job)
	if err != nil || len(mounts["data"]) != 2 {
		t.Fatalf("mounts %q, %v", mounts, err)
	}
	for i, m := range mounts["data"] {
		mounts["data"][i] = "'" + strings.ReplaceAll(m, "'", `'\''`) + "'"
	}
	job.Command.Run = "cat " + strings.Join(mounts["data"], " ") + " > '" + mounts[e.output][0] + "/m'; exit 4"
	h := submit(t, j, job)
	if s := AwaitJob(t, j, h); s.Exit != (port.Exit{Code: 4}) || s.Reason != "" {
		t.Errorf("ended with %+v, reason %q; want exit code 4 and no reason", s.Exit, s.Reason)
	}
	job.Command.Run, job.Name = strings.TrimSuffix(job.Command.Run, "; exit 4"), job.Name+"-again"
	h = submit(t, j, job)
	AwaitJob(t, j, h)
	if text := e.outputFile(t, job, "m"); text != "b 1.csv\nit's.csv\n" {
		t.Errorf("it read %q: the inputs in the order of their URIs were wanted", text)
	}
	job.Inputs["data"] = port.Artifact{URIs: []string{"teapot://data"}}
	if _, err := j.Mounts(job); !fault.Is(err, fault.Invalid) {
		t.Errorf("mounts of an unknown scheme: %v, want a fault of kind %q", err, fault.Invalid)
	}
}

func (e elsewhere) testLog(t *testing.T, j port.Jobs) {
	job := e.job(t, j, "echo one; sleep 300")
	h := submit(t, j, job)
	Await(t, "the log has the first line", func() bool {
		_, err := j.Poll(t.Context(), h)
		return err == nil && len(ownLines(JobLog(t, j, h, 0))) == 1
	})
	all := JobLog(t, j, h, 0)
	if got := JobLog(t, j, h, 2); !strings.HasPrefix(got, all[2:]) {
		t.Errorf("log from byte 2 = %q of %q", got, all)
	}
	if got := JobLog(t, j, h, 1<<20); got != "" {
		t.Errorf("log beyond its end = %q", got)
	}
	if err := j.Stop(t.Context(), h); err != nil {
		t.Error(err)
	}
}

func (e elsewhere) testAnotherContent(t *testing.T, open func() port.Jobs) {
	job := e.job(t, open(), "touch {{output}}/m")
	submit(t, open(), job)
	job.Command.Run += "; echo other"
	_, err := open().Submit(t.Context(), job)
	wantFault(t, "submit under the same name", err, fault.Conflict)
}

func (e elsewhere) testStop(t *testing.T, open func() port.Jobs) {
	j := open()
	job := e.job(t, j, "sleep 300 & echo started; wait; echo late")
	h := submit(t, j, job)
	Await(t, "the job runs", func() bool {
		_, err := j.Poll(t.Context(), h)
		return err == nil && strings.Contains(JobLog(t, j, h, 0), "started")
	})
	for range 2 {
		if err := open().Stop(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		s, err := open().Poll(t.Context(), h)
		if err != nil || !s.Done || s.Reason != "stopped" || s.Exit.Code == 0 {
			t.Errorf("status = %+v, error = %v, want done and stopped, with an exit code", s, err)
		}
	}
}

func (e elsewhere) testTimeout(t *testing.T, j port.Jobs) {
	job := e.job(t, j, "sleep 300")
	job.Command.Timeout = 200 * time.Millisecond
	h := submit(t, j, job)
	if s := AwaitJob(t, j, h); !s.Exit.TimedOut || s.Reason == "" {
		t.Errorf("status = %+v, want timed out, with a reason", s)
	}
}

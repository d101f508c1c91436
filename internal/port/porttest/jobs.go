package porttest

import (
	"io"
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

// TestJobs holds an adapter to port.Jobs, for one that runs them on this machine.
// fresh returns a function that opens the same store of jobs, empty at first, again
// and again, as separate processes would.
func TestJobs(t *testing.T, fresh func(t *testing.T) (open func() port.Jobs)) {
	t.Run("runs once", func(t *testing.T) { testRunsOnce(t, fresh(t)) })
	t.Run("mounts", func(t *testing.T) { testMounts(t, fresh(t)()) })
	t.Run("outputs", func(t *testing.T) { testOutputs(t, fresh(t)()) })
	t.Run("log", func(t *testing.T) { testJobLog(t, fresh(t)) })
	t.Run("unknown", func(t *testing.T) { testUnknownJob(t, fresh(t)()) })
	t.Run("stop", func(t *testing.T) { testStop(t, fresh(t)) })
	t.Run("timeout", func(t *testing.T) { testJobTimeout(t, fresh(t)()) })
	t.Run("hostile names", func(t *testing.T) { testJobNames(t, fresh(t)()) })
	t.Run("refuses", func(t *testing.T) { testBadJobs(t, fresh(t)()) })
}

// jobOf is a job that runs in a folder of its own, below which its output is.
func jobOf(t *testing.T, run string) port.Job {
	c := command(t, run)
	output := port.FileURI(filepath.Join(c.Dir, "out", "model"))
	return port.Job{Name: "20261124-101502-k3f9-model.train-1", Command: c, Outputs: map[string]string{"model": output}}
}

func submit(t *testing.T, j port.Jobs, job port.Job) port.JobHandle {
	t.Helper()
	h, err := j.Submit(t.Context(), job)
	if err != nil || h == "" {
		t.Fatalf("Submit = %q, %v", h, err)
	}
	return h
}

// AwaitJob polls until the job is done.
func AwaitJob(t testing.TB, j port.Jobs, h port.JobHandle) (s port.JobState) {
	t.Helper()
	Await(t, "job "+string(h)+" is done", func() bool {
		var err error
		if s, err = j.Poll(t.Context(), h); err != nil || !s.Found {
			t.Fatalf("Poll = %+v, %v", s, err)
		}
		return s.Done
	})
	return s
}

// JobLog returns what the job has printed from the offset on.
func JobLog(t testing.TB, j port.Jobs, h port.JobHandle, offset int64) string {
	t.Helper()
	log, err := j.Log(t.Context(), h, offset)
	if err != nil {
		t.Fatalf("log of job %s: %v", h, err)
	}
	defer log.Close()
	text, err := io.ReadAll(log)
	if err != nil {
		t.Fatalf("read the log of job %s: %v", h, err)
	}
	return string(text)
}

func testRunsOnce(t *testing.T, open func() port.Jobs) {
	job := jobOf(t, "echo x >> runs; echo said; echo more >&2; sleep 0.05; echo model > out/model/m; exit 4")
	handles := make([]port.JobHandle, 6)
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
	h := port.JobHandle(strings.Clone(string(handles[0]))) // as if it had been stored
	for _, other := range handles {
		if other != h {
			t.Errorf("two handles of one job: %q and %q", h, other)
		}
	}
	if s, err := open().Poll(t.Context(), h); err != nil || !s.Found {
		t.Fatalf("just submitted: %+v, %v", s, err)
	}
	s := AwaitJob(t, open(), h)
	if s.Exit != (port.Exit{Code: 4}) || s.Reason != "" {
		t.Errorf("ended with %+v, reason %q; want exit code 4 and no reason", s.Exit, s.Reason)
	}
	if log := JobLog(t, open(), h, 0); log != "said\nmore\n" {
		t.Errorf("log %q", log)
	}
	if again := submit(t, open(), job); again != h {
		t.Errorf("submitted again, its handle is %q, want %q", again, h)
	}
	if err := open().Stop(t.Context(), h); err != nil {
		t.Errorf("stop of one that ended: %v", err)
	}
	if diff := cmp.Diff(s, AwaitJob(t, open(), h)); diff != "" {
		t.Errorf("its end changed (-before +after):\n%s", diff)
	}
	if runs, err := os.ReadFile(filepath.Join(job.Command.Dir, "runs")); err != nil || string(runs) != "x\n" {
		t.Errorf("it ran %d times, %v", strings.Count(string(runs), "x"), err)
	}
	if _, err := os.Stat(filepath.Join(job.Command.Dir, "out", "model", "m")); err != nil {
		t.Errorf("its output: %v", err)
	}
}

// testMounts wants the command to find its inputs, and its output to be stored
// where it was asked for.
func testMounts(t *testing.T, j port.Jobs) {
	job := jobOf(t, "")
	dir := job.Command.Dir
	var data port.Artifact
	for _, name := range []string{"b 1.csv", "a.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		data.URIs = append(data.URIs, port.FileURI(filepath.Join(dir, name)))
	}
	job.Inputs = map[string]port.Artifact{"data": data}
	mounts, err := j.Mounts(job)
	if err != nil {
		t.Fatal(err)
	}
	if len(mounts["data"]) != 2 || len(mounts["model"]) != 1 {
		t.Fatalf("mounts: %q, want two paths for data and one for model", mounts)
	}
	job.Command.Run = "cat '" + strings.Join(mounts["data"], "' '") + "' > '" + mounts["model"][0] + "/m'"
	h := submit(t, j, job)
	s := AwaitJob(t, j, h)
	paths, err := s.Outputs["model"].Paths()
	if err != nil || len(paths) != 1 {
		t.Fatalf("exit %+v, outputs %+v, %v", s.Exit, s.Outputs, err)
	}
	if text, err := os.ReadFile(filepath.Join(paths[0], "m")); err != nil || string(text) != "b 1.csv\na.csv\n" {
		t.Errorf("it read %q, %v: the inputs in the order of their URIs were wanted", text, err)
	}
	job.Inputs["data"] = port.Artifact{URIs: []string{"teapot://data"}}
	if _, err := j.Mounts(job); !fault.Is(err, fault.Invalid) {
		t.Errorf("mounts of an unknown scheme: %v, want a fault of kind %q", err, fault.Invalid)
	}
}

// testOutputs wants outputs to be empty when a job starts, and only then.
func testOutputs(t *testing.T, j port.Jobs) {
	job := jobOf(t, "ls out/model; touch out/model/made")
	output := filepath.Join(job.Command.Dir, "out", "model")
	if err := os.MkdirAll(output, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(output, "left-over"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h := submit(t, j, job)
	AwaitJob(t, j, h)
	if log := JobLog(t, j, h, 0); log != "" {
		t.Errorf("output folder held %q when the job started, want none of an earlier one", log)
	}
	submit(t, j, job)
	if _, err := os.Stat(filepath.Join(output, "made")); err != nil {
		t.Errorf("submitting again removed the output: %v", err)
	}
}

func testJobLog(t *testing.T, open func() port.Jobs) {
	job := jobOf(t, "echo one; while [ ! -e go ]; do sleep 0.02; done; printf two")
	j := open()
	h := submit(t, j, job)
	Await(t, "the log has the first line", func() bool { return JobLog(t, j, h, 0) == "one\n" })
	for _, c := range []struct {
		name   string
		offset int64
		want   string
	}{{"within", 2, "e\n"}, {"at the end", 4, ""}, {"beyond the end", 400, ""}} {
		t.Run(c.name, func(t *testing.T) {
			if got := JobLog(t, open(), h, c.offset); got != c.want {
				t.Errorf("log from byte %d = %q, want %q", c.offset, got, c.want)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(job.Command.Dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	AwaitJob(t, j, h)
	if got := JobLog(t, j, h, 4); got != "two" {
		t.Errorf("log since then = %q, want %q", got, "two")
	}
}

func testUnknownJob(t *testing.T, j port.Jobs) {
	if s, err := j.Poll(t.Context(), "unknown"); err != nil || s.Found {
		t.Errorf("Poll = %+v, error %v, want not found", s, err)
	}
	if log := JobLog(t, j, "unknown", 0); log != "" {
		t.Errorf("Log = %q, want none", log)
	}
	if err := j.Stop(t.Context(), "unknown"); err != nil {
		t.Errorf("Stop = %v, want no error", err)
	}
}

func testStop(t *testing.T, open func() port.Jobs) {
	job := jobOf(t, "sleep 300 & echo $! > pid; wait; touch late")
	h := submit(t, open(), job)
	Await(t, "the job runs", func() bool {
		b, err := os.ReadFile(filepath.Join(job.Command.Dir, "pid"))
		return err == nil && len(b) > 1
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
	wantGone(t, job.Command.Dir)
	if _, err := os.Stat(filepath.Join(job.Command.Dir, "late")); err == nil {
		t.Error("the job continued after Stop")
	}
}

func testJobTimeout(t *testing.T, j port.Jobs) {
	job := jobOf(t, "sleep 300 & echo $! > pid; wait")
	job.Command.Timeout = 200 * time.Millisecond
	h := submit(t, j, job)
	if s := AwaitJob(t, j, h); !s.Exit.TimedOut || s.Reason == "" {
		t.Errorf("status = %+v, want timed out, with a reason", s)
	}
	wantGone(t, job.Command.Dir)
}

func testJobNames(t *testing.T, j port.Jobs) {
	job := jobOf(t, "true")
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc", "a\x00b", "a b", "-x", "a..b", strings.Repeat("n", 200)} {
		t.Run(name, func(t *testing.T) {
			job.Name = name
			h := port.JobHandle(name)
			_, err := j.Submit(t.Context(), job)
			wantFault(t, "submit", err, fault.Invalid)
			_, err = j.Poll(t.Context(), h)
			wantFault(t, "poll", err, fault.Invalid)
			_, err = j.Log(t.Context(), h, 0)
			wantFault(t, "log", err, fault.Invalid)
			wantFault(t, "stop", j.Stop(t.Context(), h), fault.Invalid)
		})
	}
}

func testBadJobs(t *testing.T, j port.Jobs) {
	for name, c := range map[string]struct {
		change func(*port.Job)
		want   fault.Kind
	}{
		"a folder that does not exist": {func(j *port.Job) { j.Command.Dir = filepath.Join(j.Command.Dir, "none") }, fault.Invalid},
		"an input that does not exist": {func(j *port.Job) {
			j.Inputs = map[string]port.Artifact{"data": port.FileArtifact("", filepath.Join(j.Command.Dir, "data.csv"))}
		}, fault.NotFound},
		"an input of an unknown scheme": {func(j *port.Job) {
			j.Inputs = map[string]port.Artifact{"data": {URIs: []string{"teapot://data"}}}
		}, fault.Invalid},
		"a relative output": {func(j *port.Job) { j.Outputs = map[string]string{"model": "out"} }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			job := jobOf(t, "true")
			c.change(&job)
			_, err := j.Submit(t.Context(), job)
			wantFault(t, "submit", err, c.want)
			if s, err := j.Poll(t.Context(), port.JobHandle(job.Name)); err != nil || s.Found {
				t.Errorf("Poll = %+v, %v after nothing was submitted", s, err)
			}
		})
	}
}

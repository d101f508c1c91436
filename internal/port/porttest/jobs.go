package porttest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestJobs holds an adapter to port.Jobs, for one that runs them on this machine.
// fresh returns a function that opens the same, empty, store of jobs again and
// again, as separate processes would.
func TestJobs(t *testing.T, fresh func(t *testing.T) (open func() port.Jobs)) {
	t.Run("runs once", func(t *testing.T) { testRunsOnce(t, fresh(t)) })
	t.Run("unknown", func(t *testing.T) { testUnknownJob(t, fresh(t)()) })
	t.Run("stop", func(t *testing.T) { testStop(t, fresh(t)) })
	t.Run("timeout", func(t *testing.T) { testJobTimeout(t, fresh(t)()) })
	t.Run("hostile names", func(t *testing.T) { testJobNames(t, fresh(t)()) })
	t.Run("bad orders", func(t *testing.T) { testBadJobs(t, fresh(t)()) })
}

func jobOf(t *testing.T, run string) port.Job {
	c := command(t, run)
	return port.Job{Name: "20261124-101502-k3f9-model.train-1", Command: c, Output: filepath.Join(c.Dir, "out", "model")}
}

// AwaitJob polls until the job is done.
func AwaitJob(t testing.TB, j port.Jobs, name string) (s port.JobState) {
	t.Helper()
	Await(t, "job "+name+" is done", func() bool {
		var err error
		if s, err = j.Poll(t.Context(), name); err != nil || !s.Found {
			t.Fatalf("Poll = %+v, %v", s, err)
		}
		return s.Done
	})
	return s
}

func testRunsOnce(t *testing.T, open func() port.Jobs) {
	job := jobOf(t, "echo x >> runs; echo said; echo more >&2; sleep 0.05; echo model > out/model/m; exit 4")
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if err := open().Submit(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if s, err := open().Poll(t.Context(), job.Name); err != nil || !s.Found {
		t.Fatalf("just submitted: %+v, %v", s, err)
	}
	s := AwaitJob(t, open(), job.Name)
	log, err := os.ReadFile(s.Log)
	if s.Exit != (port.Exit{Code: 4}) || s.Reason != "" || err != nil || string(log) != "said\nmore\n" {
		t.Errorf("%+v, log %q, %v", s, log, err)
	}
	if err := open().Submit(t.Context(), job); err != nil {
		t.Error(err)
	}
	if err := open().Stop(t.Context(), job.Name); err != nil {
		t.Errorf("stop of one that ended: %v", err)
	}
	if again := AwaitJob(t, open(), job.Name); again != s {
		t.Errorf("its end changed from %+v to %+v", s, again)
	}
	if runs, err := os.ReadFile(filepath.Join(job.Command.Dir, "runs")); err != nil || string(runs) != "x\n" {
		t.Errorf("it ran %d times, %v", strings.Count(string(runs), "x"), err)
	}
	if _, err := os.Stat(filepath.Join(job.Output, "m")); err != nil {
		t.Errorf("its output: %v", err)
	}
}

func testUnknownJob(t *testing.T, j port.Jobs) {
	if s, err := j.Poll(t.Context(), "nobody"); err != nil || s.Found {
		t.Errorf("Poll = %+v, %v", s, err)
	}
	if err := j.Stop(t.Context(), "nobody"); err != nil {
		t.Errorf("Stop = %v", err)
	}
}

func testStop(t *testing.T, open func() port.Jobs) {
	job := jobOf(t, "sleep 300 & echo $! > pid; wait; touch late")
	if err := open().Submit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	Await(t, "it runs", func() bool {
		b, err := os.ReadFile(filepath.Join(job.Command.Dir, "pid"))
		return err == nil && len(b) > 1
	})
	for range 2 {
		if err := open().Stop(t.Context(), job.Name); err != nil {
			t.Fatal(err)
		}
		s, err := open().Poll(t.Context(), job.Name)
		if err != nil || !s.Done || s.Reason != "stopped" || s.Exit.Code == 0 {
			t.Errorf("stopped: %+v, %v", s, err)
		}
	}
	wantGone(t, job.Command.Dir)
	if _, err := os.Stat(filepath.Join(job.Command.Dir, "late")); err == nil {
		t.Error("it went on")
	}
}

func testJobTimeout(t *testing.T, j port.Jobs) {
	job := jobOf(t, "sleep 300 & echo $! > pid; wait")
	job.Command.Timeout = 200 * time.Millisecond
	if err := j.Submit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if s := AwaitJob(t, j, job.Name); !s.Exit.TimedOut || s.Reason == "" {
		t.Errorf("%+v, want timed out, with a reason", s)
	}
	wantGone(t, job.Command.Dir)
}

func testJobNames(t *testing.T, j port.Jobs) {
	job := jobOf(t, "true")
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc", "a\x00b", "a b", "-x", "a..b", strings.Repeat("n", 200)} {
		job.Name = name
		if err := j.Submit(t.Context(), job); !fault.Is(err, fault.Invalid) {
			t.Errorf("submit %q: %v, want invalid", name, err)
		}
		if _, err := j.Poll(t.Context(), name); !fault.Is(err, fault.Invalid) {
			t.Errorf("poll %q: %v, want invalid", name, err)
		}
		if err := j.Stop(t.Context(), name); !fault.Is(err, fault.Invalid) {
			t.Errorf("stop %q: %v, want invalid", name, err)
		}
	}
}

func testBadJobs(t *testing.T, j port.Jobs) {
	missing := jobOf(t, "true")
	missing.Command.Dir = filepath.Join(missing.Command.Dir, "none")
	input := jobOf(t, "true")
	input.Inputs = []string{filepath.Join(input.Command.Dir, "data.csv")}
	relative := jobOf(t, "true")
	relative.Output = "out"
	for want, job := range map[fault.Kind]port.Job{fault.Invalid: missing, fault.NotFound: input} {
		if err := j.Submit(t.Context(), job); !fault.Is(err, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := j.Submit(t.Context(), relative); !fault.Is(err, fault.Invalid) {
		t.Errorf("a relative output: %v, want invalid", err)
	}
	if s, err := j.Poll(t.Context(), missing.Name); err != nil || s.Found {
		t.Errorf("Poll = %+v, %v after nothing was submitted", s, errors.Unwrap(err))
	}
}

package jobs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// evaluation is a job that reads a model, and writes metrics.
func (l *lab) evaluation(run string) port.Job {
	l.t.Helper()
	job := l.sample(run)
	model := l.t.TempDir()
	if err := os.WriteFile(filepath.Join(model, "model.bin"), []byte("weights"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	job.Name = strings.Replace(job.Name, "train", "evaluate", 1)
	job.Inputs["model"] = port.FileArtifact("", model)
	job.Outputs = map[string]string{"metrics": port.FileURI(filepath.Join(l.t.TempDir(), "metrics"))}
	return job
}

// An evaluation is a processing job with a deterministic name, the model among its inputs
// and the metrics as its output; a process that takes over finds it.
func TestJobs_Processing(t *testing.T) {
	l := newLab(t)
	l.SetContainer(shell())
	job := l.evaluation("")
	j := l.open()
	mounts, err := j.Mounts(job)
	if err != nil {
		t.Fatal(err)
	}
	job.Command.Run = "echo evaluating; test \"$(cat '" + mounts["model"][0] + "/model.bin')\" = weights && echo '{\"accuracy\": 0.9}' > '" + mounts["metrics"][0] + "/metrics.json'"
	h := l.submit(j, job)
	again := l.open()
	l.submit(again, job)
	s := porttest.AwaitJob(t, again, h)
	if s.Exit.Code != 0 || s.Reason != "" || s.Usage == nil || s.Usage.Instance != "ml.m5.xlarge" {
		t.Fatalf("%+v; log %q", s, porttest.JobLog(t, again, h, 0))
	}
	dir, err := s.Outputs["metrics"].Paths()
	if err != nil || len(dir) != 1 {
		t.Fatalf("outputs %v, %v", s.Outputs, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir[0], "metrics.json"))
	metrics := map[string]float64{}
	if err != nil || json.Unmarshal(raw, &metrics) != nil || metrics["accuracy"] != 0.9 {
		t.Errorf("metrics %q, %v", raw, err)
	}
	if log := porttest.JobLog(t, again, h, 0); !strings.HasPrefix(log, "evaluating\n") && !strings.Contains(log, "\nevaluating\n") {
		t.Errorf("log %q", log)
	}
	made := l.Jobs(awstest.ProcessingJob)
	if len(made) != 1 || len(l.Jobs(awstest.TrainingJob)) != 0 || l.Count("sagemaker", "CreateProcessingJob") != 1 {
		t.Errorf("%d processing and %d training jobs, want one evaluation", len(made), len(l.Jobs(awstest.TrainingJob)))
	}
	if name, err := awsName(h); err != nil || made[0].Name != name {
		t.Errorf("name %q, want %q", made[0].Name, name)
	}
	if err := l.Invalid(); err != nil {
		t.Errorf("AWS's models refuse: %v", err)
	}
}

// A processing job does not say why it was stopped: one that ran for all the time that it
// had timed out, and another was stopped by somebody.
func TestLook_ProcessingTimedOut(t *testing.T) {
	for stopAfter, want := range map[time.Duration]bool{time.Hour: true, time.Hour - 2*time.Second: true, 10 * time.Minute: false} {
		l := newLab(t)
		l.section.MaxRuntime = delivery.Duration(time.Hour)
		l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Lasts: 3 * time.Hour} })
		j, job := l.open(), l.evaluation("true")
		h := l.submit(j, job)
		l.poll(j, h)
		l.skew.Add(int64(stopAfter))
		if err := j.Stop(t.Context(), h); err != nil { // as AWS does, or a person
			t.Fatal(err)
		}
		if s := porttest.AwaitJob(t, l.open(), h); s.Exit.TimedOut != want || s.Exit.Code == 0 {
			t.Errorf("stopped after %s: %+v, want timed out: %v", stopAfter, s, want)
		}
	}
}

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
	"github.com/slipway-cd/slipway/internal/step"
)

// trained is the output of a step that makes a folder and a document of its run.
type trained struct {
	Dir    string `json:"dir"`
	Model  string `json:"model"` // in Dir
	Report string `json:"report"`
}

// trainer makes a model of the file that its parameters name, and looks whether a cached
// one is there.
type trainer struct{ l *lab }

func (s trainer) Run(ctx context.Context, r step.Request) (step.Result, error) {
	if _, err := s.l.step(ctx, r); err != nil {
		return step.Result{}, err
	}
	var w struct{ Data string }
	if err := json.Unmarshal(r.Spec.Params, &w); err != nil {
		return step.Result{}, err
	}
	data, err := os.ReadFile(w.Data)
	out := trained{Dir: filepath.Join(r.ArtifactsDir, "models", "m1"), Report: filepath.Join(r.WorkDir, "report.txt")}
	out.Model = filepath.Join(out.Dir, "model.bin")
	err = errors.Join(err, os.MkdirAll(out.Dir, 0o755), os.WriteFile(out.Model, append(data, "-model"...), 0o644), os.WriteFile(out.Report, data, 0o644))
	if err != nil {
		return step.Result{}, err
	}
	return step.Succeed("model", out)
}

func (s trainer) Revalidate(_ context.Context, _ step.Request, cached step.Result) (step.Result, bool, error) {
	var out trained
	if err := json.Unmarshal(cached.Output, &out); err != nil {
		return cached, false, err
	}
	got, err := os.ReadFile(out.Model)
	return cached, err == nil && string(got) == "data-model", nil
}

// fileLab is a machine with its own home and clone, where train makes a model and push
// reads it.
func fileLab(t *testing.T, home string) *lab {
	t.Helper()
	l := newLab(t, home)
	l.Repository = t.TempDir()
	if err := os.WriteFile(filepath.Join(l.Repository, "data.csv"), []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Blobs = &blobs.Store{Objects: objectfolder.Store{Dir: filepath.Join(home, sharedFolder)}}
	l.Steps[step.Train] = trainer{l}
	l.does["push"] = func(_ context.Context, r step.Request) (step.Result, error) {
		out, _, err := step.DecodeOutput[trained](r.Inputs, "train")
		if err != nil {
			return step.Result{}, err
		}
		model, err := os.ReadFile(out.Model)
		if err != nil {
			return step.FailWith(err), nil
		}
		return step.Succeed("", map[string]any{"pushed": string(model)})
	}
	return l
}

func trainSpec(l *lab) step.Spec {
	with, _ := json.Marshal(map[string]string{"data": filepath.Join(l.Repository, "data.csv")})
	return step.Spec{Name: "train", Kind: step.Train, Params: with, Cacheable: true, Inputs: "sha256:1"}
}

func pushSpec() step.Spec {
	return step.Spec{Name: "push", Kind: step.Push, Needs: []string{"train"}, Cacheable: true, Inputs: "sha256:2"}
}

// resultOf returns what the records hold of a step.
func (l *lab) resultOf(id delivery.RunID, name string) step.Result {
	l.t.Helper()
	steps, err := l.Runs.ListSteps(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range steps {
		if s.Name == name && s.Result != nil {
			return *s.Result
		}
	}
	l.t.Fatalf("step %s of run %s has no result", name, id)
	return step.Result{}
}

// TestFiles_CachedElsewhere: what one machine made is taken from the cache on another
// one with another home and clone, which has nothing but the shared state.
func TestFiles_CachedElsewhere(t *testing.T) {
	home := newMachine(t, true)
	first := fileLab(t, home)
	wantRun(t, first.run(newPlan(1, trainSpec(first), pushSpec())), "ended", delivery.OutcomeSucceeded, "")
	stored := first.resultOf(runID(1), "train")
	if strings.Contains(string(stored.Output), home) || len(stored.Files) != 2 {
		t.Errorf("stored = %s with files %+v, want no path of the machine, and two files", stored.Output, stored.Files)
	}
	second := fileLab(t, neighbor(t, home))
	wantRun(t, second.run(newPlan(2, trainSpec(second), pushSpec())), "ended", delivery.OutcomeSucceeded, "")
	wantList(t, "steps that ran", second.started(), nil)
	for _, name := range []string{"models/m1/model.bin"} {
		if got, err := os.ReadFile(filepath.Join(second.Home, "artifacts", name)); err != nil || string(got) != "data-model" {
			t.Errorf("%s = %q (error = %v), want the model", name, got, err)
		}
	}
}

// TestFiles_GoOnElsewhere: a run that waits is continued on another machine, whose steps
// find the files of those that were done.
func TestFiles_GoOnElsewhere(t *testing.T) {
	home := newMachine(t, true)
	first := fileLab(t, home)
	approve := step.Spec{Name: "approve", Kind: step.Approve, Needs: []string{"train"}}
	push := pushSpec()
	push.Needs, push.Cacheable = []string{"train", "approve"}, false
	first.does["approve"] = func(context.Context, step.Request) (step.Result, error) {
		return step.Result{Outcome: delivery.OutcomeWaiting}, nil
	}
	wantRun(t, first.run(newPlan(1, trainSpec(first), approve, push)), "waiting", delivery.OutcomeWaiting, "")
	second := fileLab(t, neighbor(t, home))
	ended, err := second.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, ended, "ended", delivery.OutcomeSucceeded, "")
	wantList(t, "steps that ran", second.started(), []string{"approve/2", "push/1"})
	if got := string(second.resultOf(runID(1), "push").Output); got != `{"pushed":"data-model"}` {
		t.Errorf("output of push = %s, want the model of the other machine", got)
	}
}

// TestFiles_Lost: a result whose files are gone or damaged is made again.
func TestFiles_Lost(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"gone":    os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("?"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			home := newMachine(t, true)
			first := fileLab(t, home)
			first.run(newPlan(1, trainSpec(first)))
			kept, _ := filepath.Glob(filepath.Join(home, sharedFolder, blobs.Prefix, "*"))
			if len(kept) != 3 {
				t.Fatalf("blobs = %v, want the model, its list and the report", kept)
			}
			for _, path := range kept {
				if err := lose(path); err != nil {
					t.Fatal(err)
				}
			}
			second := fileLab(t, neighbor(t, home))
			wantRun(t, second.run(newPlan(2, trainSpec(second))), "ended", delivery.OutcomeSucceeded, "")
			wantList(t, "steps that ran", second.started(), []string{"train/1"})
			third := fileLab(t, neighbor(t, home))
			third.run(newPlan(3, trainSpec(third)))
			wantList(t, "steps that ran after it was made again", third.started(), nil)
		})
	}
}

// refusing are blobs that store nothing.
type refusing struct{ port.Blobs }

func (refusing) Save(context.Context, string) (port.Blob, error) {
	return port.Blob{}, fault.New(fault.Denied, "no right to write")
}

// TestFiles_NotSaved: a run does not fail because its files can't be saved; it says so.
func TestFiles_NotSaved(t *testing.T) {
	l := fileLab(t, newMachine(t, true))
	l.Blobs = refusing{l.Blobs}
	wantRun(t, l.run(newPlan(1, trainSpec(l), pushSpec())), "ended", delivery.OutcomeSucceeded, "")
	if got := l.said(event.Notice); !slices.Contains(got, "notice train") {
		t.Errorf("notices = %v, want one about train", got)
	}
	again := l.run(newPlan(2, trainSpec(l), pushSpec()))
	wantRun(t, again, "ended", delivery.OutcomeSucceeded, "")
	wantList(t, "steps that ran", l.started(), []string{"train/1", "push/1"})
}

// planted replaces the files of every result that is looked up.
type planted struct {
	record.Cache
	files []step.File
}

func (c planted) Lookup(ctx context.Context, key delivery.Digest) (step.Result, bool, error) {
	r, ok, err := c.Cache.Lookup(ctx, key)
	r.Files = c.files
	return r, ok, err
}

// TestFiles_HostileRecord: files go where results are kept, whatever the records name.
func TestFiles_HostileRecord(t *testing.T) {
	home := newMachine(t, true)
	first := fileLab(t, home)
	evil := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(evil, []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := first.Blobs.Save(t.Context(), evil)
	if err != nil {
		t.Fatal(err)
	}
	first.run(newPlan(1, trainSpec(first)))
	outside := filepath.Join(t.TempDir(), "x")
	for n, path := range []string{"slipway-home:/machine", "slipway-home:/../x", "slipway-repository:/data.csv", outside, "slipway-home:/artifacts", "slipway-home:/artifacts/../machine"} {
		t.Run(path, func(t *testing.T) {
			l := fileLab(t, neighbor(t, home))
			l.Cache = planted{l.Cache, []step.File{{Path: path, Blob: b}}}
			wantRun(t, l.run(newPlan(n+2, trainSpec(l))), "ended", delivery.OutcomeSucceeded, "")
			wantList(t, "steps that ran", l.started(), []string{"train/1"})
			err := filepath.WalkDir(filepath.Dir(l.Home), func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				if got, err := os.ReadFile(path); err != nil || string(got) == "evil" {
					t.Errorf("%s was written (error = %v)", path, err)
				}
				return nil
			})
			if _, there := os.Stat(outside); err != nil || there == nil {
				t.Errorf("error = %v, and %s exists: %v", err, outside, there == nil)
			}
		})
	}
}

// TestFiles_SharedDir: a step that is never cached finds the folder that it left on
// another machine, and keeps it once.
func TestFiles_SharedDir(t *testing.T) {
	home := newMachine(t, true)
	for n, want := range []string{"made here", "found", "found"} {
		l := fileLab(t, neighbor(t, home))
		got := ""
		l.does["scan"] = func(ctx context.Context, r step.Request) (step.Result, error) {
			dir := filepath.Join(r.ArtifactsDir, "scans", "i1")
			err := r.WithSharedDir(ctx, dir, func() error {
				if raw, err := os.ReadFile(filepath.Join(dir, "packages.json")); err == nil {
					got = "found"
					return os.WriteFile(filepath.Join(dir, "packages.json"), raw, 0o644)
				}
				got = "made here"
				return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "packages.json"), []byte("[]"), 0o644))
			})
			if err != nil {
				return step.Result{}, err
			}
			return step.Succeed("", nil)
		}
		wantRun(t, l.run(newPlan(n+1, step.Spec{Name: "scan", Kind: step.Test})), "ended", delivery.OutcomeSucceeded, "")
		if got != want {
			t.Errorf("run %d: the folder was %s, want %s", n+1, got, want)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(home, sharedFolder, blobs.Prefix, "*")); len(kept) != 2 {
		t.Errorf("blobs = %v, want a file and its list", kept)
	}
}

// TestFiles_Published: what an owner printed is saved when it lets the run go, and the
// next one saves only what it adds.
func TestFiles_Published(t *testing.T) {
	home := newMachine(t, true)
	files := runfiles.Store{Objects: objectfolder.Store{Dir: filepath.Join(home, sharedFolder)}, Project: "retail"}
	decided := false
	open := func(home string) *lab {
		l := newLab(t, home)
		l.Files = files
		l.does["unit"] = func(_ context.Context, r step.Request) (step.Result, error) {
			r.Logf("all green")
			return step.Succeed("", nil)
		}
		l.does["approve"] = func(_ context.Context, r step.Request) (step.Result, error) {
			if r.Logf("asked in attempt %d", r.Attempt); !decided {
				return step.Result{Outcome: delivery.OutcomeWaiting}, nil
			}
			return step.Succeed("", nil)
		}
		return l
	}
	open(home).run(newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "approve", Kind: step.Approve, Needs: []string{"unit"}}))
	for _, machine := range []string{home, neighbor(t, home)} {
		if _, err := open(machine).Resume(t.Context(), runID(1)); err != nil {
			t.Fatal(err)
		}
		decided = true
	}
	all, err := files.List(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range all {
		r, err := files.Open(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(string(raw))
		if f.Name == "events.jsonl" {
			text = fmt.Sprint(strings.Count(text, `"run.started"`), strings.Count(text, `"run.finished"`))
		}
		got = append(got, fmt.Sprintf("%d %s: %s", f.Epoch, f.Name, text))
	}
	wantList(t, "files", got, []string{
		"1 approve.log: asked in attempt 1", "1 events.jsonl: 1 1", "1 unit.log: all green",
		"2 approve.log: asked in attempt 2", "2 events.jsonl: 1 1",
		"3 approve.log: asked in attempt 3", "3 events.jsonl: 1 1",
	})
	if here := engine.LocalEpochs(home, runID(1)); !slices.Equal(here, []int64{1, 2}) {
		t.Errorf("claims of this machine = %v, want 1 and 2", here)
	}
}

// TestFiles_StoreOfLogsAway: a store that takes no logs stops no run.
func TestFiles_StoreOfLogsAway(t *testing.T) {
	l := newLab(t, newMachine(t, true))
	l.Files = runfiles.Store{Objects: &fake.ObjectStore{Before: func(string, string) error { return fault.New(fault.Unavailable, "away") }}, Project: "retail"}
	wantRun(t, l.run(newPlan(1, step.Spec{Name: "unit"})), "ended", delivery.OutcomeSucceeded, "")
}

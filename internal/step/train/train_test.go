package train

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

type scene struct {
	jobs *fake.Jobs
	step Step
	r    step.Request
	w    step.TrainParams
	log  bytes.Buffer
}

func newScene(t *testing.T, run string) *scene {
	t.Helper()
	root := t.TempDir()
	data := filepath.Join(root, "the data.csv")
	if err := os.WriteFile(data, []byte("1,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := digest.Paths(t.Context(), []string{data})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{jobs: &fake.Jobs{Commands: fake.Shell{}, Logs: root}, w: step.TrainParams{Run: run, Data: []string{data}, DataDigest: d}}
	s.step = Step{Jobs: s.jobs, Environ: func() []string { return []string{"PATH=" + os.Getenv("PATH")} }}
	s.r = step.Request{
		Run: "20260102-030405-abcd", Attempt: 1, WorkDir: root + "/work", ArtifactsDir: root + "/artifacts", Log: &s.log,
		Commit:   delivery.Commit{SHA: strings.Repeat("a", 40)},
		Spec:     step.Spec{Name: "train", Kind: step.Train, Inputs: fake.Digest(5)},
		Checkout: func(context.Context) (string, error) { return root, nil },
	}
	return s
}

func (s *scene) run(t *testing.T) (step.Result, step.TrainOutput, error) {
	t.Helper()
	s.r.Spec.Params, _ = json.Marshal(s.w)
	res, err := s.step.Run(t.Context(), s.r)
	var out step.TrainOutput
	if err == nil && res.Outcome == delivery.OutcomeSucceeded {
		if err := json.Unmarshal(res.Output, &out); err != nil {
			t.Fatal(err)
		}
	}
	return res, out, err
}

const good = `echo training; cat {{.Data}} > {{.Output}}/model.bin; mkdir {{.Output}}/sub; echo x > {{.Output}}/sub/vocab; test "$SLIPWAY_OUTPUT" = {{.Output}}`

func TestRun(t *testing.T) {
	s := newScene(t, good)
	res, out, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q), error = %v, want %s; log:\n%s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded, s.log.String())
	}
	files, err := digest.Dir(t.Context(), out.Dir)
	if err != nil || filepath.Base(out.Dir) != files.Hex() {
		t.Errorf("the model is in %s with files %s, error = %v", out.Dir, files, err)
	}
	want := step.TrainOutput{
		Dir: out.Dir, Files: files, Data: s.w.DataDigest,
		Job: "20260102-030405-abcd-train-1", Command: good, Commit: s.r.Commit.SHA, Inputs: fake.Digest(5),
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if s.log.String() != "training\n" {
		t.Errorf("log = %q, want %q", s.log.String(), "training\n")
	}
	// Again, as after a crash: the same job, the same model.
	_, again, err := s.run(t)
	if diff := cmp.Diff(out, again); err != nil || diff != "" || len(s.jobs.Submitted) != 1 {
		t.Errorf("error = %v, jobs %q, output (-first +again):\n%s", err, s.jobs.Submitted, diff)
	}
	left, _ := filepath.Glob(s.r.ArtifactsDir + "/models/.new-*")
	if len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

func TestRun_Failures(t *testing.T) {
	cases := map[string]string{
		"failed (exit 3); last line of output: no GPU": "echo no GPU; exit 3",
		"wrote no file": "true",
		"symbolic link": "ln -s /etc/passwd {{.Output}}/model",
		"the data changed while the command was using it": "echo x > {{.Output}}/m; echo more >> {{.Data}}",
		"could not start the command (exit 127): n":       "no-such-program",
	}
	for cause, run := range cases {
		t.Run(cause, func(t *testing.T) {
			s := newScene(t, run)
			res, _, err := s.run(t)
			if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, cause) {
				t.Errorf("outcome = %s, cause = %q, error = %v, want %s with %q", res.Outcome, res.Cause, err, delivery.OutcomeFailed, cause)
			}
		})
	}
}

func TestRun_DataChangedSincePlan(t *testing.T) {
	s := newScene(t, good)
	if err := os.WriteFile(s.w.Data[0], []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.run(t); !fault.Is(err, fault.Conflict) || len(s.jobs.Submitted) > 0 {
		t.Errorf("error = %v, jobs %q, want kind %s and no job", err, s.jobs.Submitted, fault.Conflict)
	}
	_ = os.Remove(s.w.Data[0])
	if _, _, err := s.run(t); !fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want %s", err, fault.NotFound)
	}
}

func TestRevalidate(t *testing.T) {
	s := newScene(t, good)
	res, out, err := s.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, res); !ok || err != nil {
		t.Errorf("unchanged model: ok = %v, error = %v, want true", ok, err)
	}
	file := out.Dir + "/sub/vocab"
	_ = os.Chmod(file, 0o644)
	_ = os.WriteFile(file, []byte("y\n"), 0o644)
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, res); ok || err != nil {
		t.Errorf("damaged model: ok = %v, error = %v, want false", ok, err)
	}
	// A damaged folder is replaced by the next training.
	s.r.Attempt = 2
	if _, again, err := s.run(t); err != nil || again.Files != out.Files {
		t.Errorf("trained again: files = %s, error = %v, want %s", again.Files, err, out.Files)
	}
	if _, ok, _ := s.step.Revalidate(t.Context(), s.r, res); !ok {
		t.Error("model after another training: ok = false, want true")
	}
	_ = os.RemoveAll(out.Dir)
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, res); ok || err != nil {
		t.Errorf("removed model: ok = %v, error = %v, want false", ok, err)
	}
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, step.Result{Output: json.RawMessage(`7`)}); ok || err != nil {
		t.Errorf("invalid output: ok = %v, error = %v, want false", ok, err)
	}
}

func TestRun_Dir(t *testing.T) {
	s := newScene(t, `test "$(basename "$PWD")" = training && echo x > {{.Output}}/model.bin`)
	s.w.Dir = "training"
	root, _ := s.r.Checkout(t.Context())
	if err := os.MkdirAll(filepath.Join(root, "training"), 0o755); err != nil {
		t.Fatal(err)
	}
	if res, _, err := s.run(t); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
	}
	s.w.Dir = "/etc"
	if _, _, err := s.run(t); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder outside: error = %v, want %s", err, fault.Invalid)
	}
}

package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

const env = delivery.Environment("prod")

type fixture struct {
	*fake.Environment
	jobs   *fake.Jobs
	step   Step
	r      step.Request
	w      step.EvaluateParams
	events []event.Event
}

func newFixture(t *testing.T, run string, gates ...string) *fixture {
	t.Helper()
	root := t.TempDir()
	model := filepath.Join(root, "model")
	_ = os.MkdirAll(model, 0o755)
	_ = os.WriteFile(root+"/data.csv", []byte("1\n"), 0o644)
	if err := os.WriteFile(model+"/model.bin", []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := digest.Dir(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	s := &fixture{Environment: fake.NewEnvironment(), jobs: &fake.Jobs{Commands: fake.Shell{}, Logs: root}}
	s.w = step.EvaluateParams{Run: run, Data: []string{root + "/data.csv"}, Gates: gates}
	s.step = Step{
		Jobs: s.jobs, Deployments: s.Records.Deployments(), Releases: s.Records.Releases(), Models: s.Records.Models(),
		Environ: func() []string { return []string{"PATH=" + os.Getenv("PATH")} },
	}
	trained, _ := json.Marshal(step.TrainOutput{Dir: model, Files: files})
	s.r = step.Request{
		Run: "20260102-030405-abcd", Attempt: 1, WorkDir: root + "/work", ArtifactsDir: root + "/artifacts", Environment: env,
		Spec: step.Spec{Name: "evaluate", Kind: step.Evaluate}, Inputs: map[string]json.RawMessage{"train": trained},
		Checkout: func(context.Context) (string, error) { return root, nil },
		Emit:     func(e event.Event) { s.events = append(s.events, e) },
	}
	return s
}

func (s *fixture) run(t *testing.T) (step.Result, error) {
	t.Helper()
	s.r.Spec.Params, _ = json.Marshal(s.w)
	return s.step.Run(t.Context(), s.r)
}

func writeMetrics(metrics string) string {
	return fmt.Sprintf("printf '%%s' '%s' > {{.Metrics}}", metrics)
}

func TestRun(t *testing.T) {
	fine := writeMetrics(`{"accuracy": 0.87, "rows": 100}`)
	cases := []struct {
		name     string
		run      string
		rows     string
		gates    []string
		outcome  delivery.Outcome
		says     string
		verdicts []delivery.Verdict
	}{
		{"passes", fine, "", []string{"accuracy >= 0.8", "rows > 50"}, delivery.OutcomeSucceeded, "2 of 2", []delivery.Verdict{"passed", "passed"}},
		{"no gates", fine, "", nil, delivery.OutcomeSucceeded, "no gates: any model passes", nil},
		{"too bad", fine, "", []string{"accuracy >= 0.9", "rows > 50"}, delivery.OutcomeFailed, "not good enough: accuracy >= 0.9 (accuracy = 0.87)", []delivery.Verdict{"failed", "passed"}},
		{"no such metric", fine, "", []string{"f1 >= 0.1", "accuracy >= 0.9"}, delivery.OutcomeFailed, "investigate: f1", []delivery.Verdict{"unavailable", "failed"}},
		{"null", writeMetrics(`{"accuracy": null}`), "", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "investigate", []delivery.Verdict{"unavailable"}},
		{"no metrics", "true", "", nil, delivery.OutcomeFailed, "investigate: the evaluation wrote no metrics", []delivery.Verdict{"unavailable"}},
		{"NaN", writeMetrics(`{"accuracy": NaN}`), "", []string{"accuracy < 2.0"}, delivery.OutcomeFailed, "investigate", []delivery.Verdict{"unavailable"}},
		{"zero rows", writeMetrics(`{"accuracy": 1, "rows": 0}`), "", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "investigate: zero rows", []delivery.Verdict{"unavailable"}},
		{"zero rows, by name", writeMetrics(`{"accuracy": 1, "test": {"n": 0}}`), "test.n", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "zero rows", []delivery.Verdict{"unavailable"}},
		{"rows asked for and missing", writeMetrics(`{"accuracy": 1}`), "test.n", nil, delivery.OutcomeFailed, `have no "test.n"`, []delivery.Verdict{"unavailable"}},
		{"rows no number", writeMetrics(`{"rows": "many"}`), "", nil, delivery.OutcomeFailed, "not a number", []delivery.Verdict{"unavailable"}},
		{"command fails", "echo boom; exit 4", "", nil, delivery.OutcomeFailed, "(exit 4); last line of output: boom", nil},
		{"data changed", writeMetrics(`{"accuracy": 1}`) + "; echo 2 >> {{.Data}}", "", nil, delivery.OutcomeFailed, "changed while", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newFixture(t, c.run, c.gates...)
			s.w.RowsMetric = c.rows
			res, err := s.run(t)
			if err != nil || res.Outcome != c.outcome {
				t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, c.outcome)
			}
			if text := res.Summary + "\n" + res.Cause; !strings.Contains(text, c.says) {
				t.Fatalf("summary and cause = %q, want %q in them", text, c.says)
			}
			var got []delivery.Verdict
			for _, a := range res.GateResults {
				got = append(got, a.Verdict)
			}
			if diff := cmp.Diff(c.verdicts, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if len(s.events) != len(c.verdicts) {
				t.Errorf("%d events, want one for each of %d verdicts", len(s.events), len(c.verdicts))
			}
		})
	}
}

func output(t *testing.T, res step.Result) step.EvaluateOutput {
	t.Helper()
	var out step.EvaluateOutput
	if err := json.Unmarshal(res.Output, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRun_StoresModelWithMetrics(t *testing.T) {
	s := newFixture(t, `test -f {{.Model}}/model.bin && `+writeMetrics(`{"accuracy":0.5}`), "accuracy >= 0.1", "accuracy >= champion.accuracy")
	res, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	out := output(t, res)
	for name, want := range map[string]string{"model.bin": "weights", "metrics.json": `{"accuracy":0.5}`} {
		if got, _ := os.ReadFile(filepath.Join(out.Dir, name)); string(got) != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if len(out.GateResults) != 1 || out.GateResults[0].Gate != "evaluate: accuracy >= 0.1" {
		t.Errorf("gates of the release = %v, want the one without a champion", out.GateResults)
	}
	again, err := s.run(t)
	if err != nil {
		t.Errorf("run again: error = %v, want none", err)
	}
	if diff := cmp.Diff(string(res.Output), string(again.Output)); diff != "" {
		t.Errorf("run again: output (-first +again):\n%s", diff)
	}
	if len(s.jobs.Submitted) != 1 {
		t.Errorf("submitted jobs = %q, want one", s.jobs.Submitted)
	}
}

// TestRevalidate_ChampionChanged asks the same cached metrics beside another champion.
func TestRevalidate_ChampionChanged(t *testing.T) {
	s := newFixture(t, writeMetrics(`{"accuracy":0.15}`), "accuracy >= champion.accuracy")
	res, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	if got := res.GateResults[0].Evidence; !strings.Contains(got, "no champion") {
		t.Fatalf("evidence = %q, want %q in it", got, "no champion")
	}
	s.Serve(env, "20260101-000000-aaaa", s.Release(1), time.Now()) // accuracy 0.1
	const newer delivery.Unknown = `"newer":1`
	cached := output(t, res)
	cached.Unknown, res.Unknown = newer, newer
	if res.Output, err = json.Marshal(cached); err != nil {
		t.Fatal(err)
	}
	fresh, ok, err := s.step.Revalidate(t.Context(), s.r, res)
	if err != nil || !ok {
		t.Fatalf("a worse champion: valid = %v, error = %v, want true", ok, err)
	}
	if fresh.Outcome != delivery.OutcomeSucceeded || !fresh.Cached {
		t.Fatalf("a worse champion: outcome = %s, cached = %v, want %s from the cache", fresh.Outcome, fresh.Cached, delivery.OutcomeSucceeded)
	}
	if got := output(t, fresh); got.Unknown != newer || fresh.Unknown != newer {
		t.Errorf("unknown fields = %q, of the output %q, want those of the program that wrote them", fresh.Unknown, got.Unknown)
	}
	s.Serve(env, "20260101-000001-aaaa", s.Release(2), time.Now()) // accuracy 0.2
	fresh, ok, err = s.step.Revalidate(t.Context(), s.r, res)
	if err != nil || !ok || fresh.Outcome != delivery.OutcomeFailed {
		t.Errorf("a better champion: outcome = %s, valid = %v, error = %v, want %s", fresh.Outcome, ok, err, delivery.OutcomeFailed)
	}
	if len(s.jobs.Submitted) != 1 {
		t.Errorf("submitted jobs = %q, want one", s.jobs.Submitted)
	}
	out := output(t, res)
	_ = os.Remove(out.Dir + "/model.bin")
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, res); ok || err != nil {
		t.Errorf("an incomplete model: valid = %v, error = %v, want false", ok, err)
	}
}

// TestRun_MetricsOfTraining evaluates without a command: the metrics are among the
// model's files.
func TestRun_MetricsOfTraining(t *testing.T) {
	cases := []struct {
		name, file, metrics string
		outcome             delivery.Outcome
		says                string
		stored              map[string]string
	}{
		{"passes", "metrics.json", `{"accuracy":0.5}`, delivery.OutcomeSucceeded, "1 of 1 gates passed; reported by training", map[string]string{"metrics.json": `{"accuracy":0.5}`}},
		{"another file", "reports/m.json", `{"accuracy":0.5}`, delivery.OutcomeSucceeded, "1 of 1", map[string]string{"metrics.json": `{"accuracy":0.5}`, "reports/m.json": `{"accuracy":0.5}`}},
		{"not good enough", "metrics.json", `{"accuracy":0.05}`, delivery.OutcomeFailed, "not good enough: accuracy >= 0.1 (accuracy = 0.05; reported by training)", nil},
		{"not written", "metrics.json", "", delivery.OutcomeFailed, "investigate: read metrics.json of training: the evaluation wrote no metrics", nil},
		{"not JSON", "metrics.json", "accuracy: 1", delivery.OutcomeFailed, "investigate: read metrics.json of training: the metrics are not a valid JSON object", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newFixture(t, "", "accuracy >= 0.1")
			s.w = step.EvaluateParams{File: c.file, Gates: s.w.Gates, Note: "reported by training"}
			if c.metrics != "" {
				s.addToModel(t, c.file, c.metrics)
			}
			res, err := s.run(t)
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary+res.Cause, c.says) {
				t.Fatalf("outcome = %s (%q, %q), error = %v, want %s and %q", res.Outcome, res.Summary, res.Cause, err, c.outcome, c.says)
			}
			for name, want := range c.stored {
				if got, _ := os.ReadFile(filepath.Join(output(t, res).Dir, name)); string(got) != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if len(s.jobs.Submitted) > 0 {
				t.Errorf("submitted jobs = %q, want none", s.jobs.Submitted)
			}
		})
	}
	s := newFixture(t, "", "accuracy >= 0.1")
	s.w = step.EvaluateParams{File: "../metrics.json"}
	if _, err := s.run(t); !fault.Is(err, fault.Invalid) {
		t.Errorf("a file outside the model: error = %v, want %s", err, fault.Invalid)
	}
}

// addToModel writes a file among those that training has written.
func (s *fixture) addToModel(t *testing.T, name, text string) {
	t.Helper()
	var tr step.TrainOutput
	if err := json.Unmarshal(s.r.Inputs["train"], &tr); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(tr.Dir, name)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	tr.Files, _ = digest.Dir(t.Context(), tr.Dir)
	s.r.Inputs["train"], _ = json.Marshal(tr)
}

// TestRun_ModelHasMetricsFile keeps what training wrote, whatever it is called.
func TestRun_ModelHasMetricsFile(t *testing.T) {
	const evaluated = `{"accuracy":0.5}`
	cases := []struct {
		name   string
		model  map[string]string // files of the model
		stored map[string]string
	}{
		{"of its own", map[string]string{"metrics.json": "epochs"}, map[string]string{"metrics.json": "epochs", "evaluation.json": evaluated}},
		{"the same", map[string]string{"metrics.json": evaluated}, map[string]string{"metrics.json": evaluated, "evaluation.json": ""}},
		{"two of its own", map[string]string{"metrics.json": "epochs", "evaluation.json": "x"}, map[string]string{"metrics.json": "epochs", "evaluation.json": "x", "slipway-metrics.json": evaluated}},
		{"a folder", map[string]string{"metrics.json/a": "x"}, map[string]string{"metrics.json/a": "x", "evaluation.json": evaluated}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newFixture(t, writeMetrics(evaluated), "accuracy >= 0.1")
			for name, text := range c.model {
				s.addToModel(t, name, text)
			}
			res, err := s.run(t)
			if err != nil || res.Outcome != delivery.OutcomeSucceeded {
				t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
			}
			out := output(t, res)
			for name, want := range c.stored {
				if got, _ := os.ReadFile(filepath.Join(out.Dir, name)); string(got) != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if diff := cmp.Diff(delivery.Metrics{"accuracy": 0.5}, out.Metrics); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
	s := newFixture(t, writeMetrics(evaluated))
	for _, name := range []string{"metrics.json", "evaluation.json", "slipway-metrics.json"} {
		s.addToModel(t, name, "mine")
	}
	if _, err := s.run(t); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("all names taken: error = %v, want %s with a hint", err, fault.Invalid)
	}
}

func TestRun_Dir(t *testing.T) {
	s := newFixture(t, `test "$(basename "$PWD")" = work && `+writeMetrics(`{"accuracy":0.5}`))
	s.w.Dir = "sub/work"
	root, _ := s.r.Checkout(t.Context())
	_ = os.MkdirAll(filepath.Join(root, "sub", "work"), 0o755)
	if res, err := s.run(t); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
	}
	s.w.Dir = "../sub"
	if _, err := s.run(t); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder outside: error = %v, want %s", err, fault.Invalid)
	}
}

func TestRun_Refused(t *testing.T) {
	s := newFixture(t, "true", "accuracy >=")
	if _, err := s.run(t); !fault.Is(err, fault.Invalid) {
		t.Errorf("an invalid gate: error = %v, want %s", err, fault.Invalid)
	}
	if len(s.jobs.Submitted) > 0 {
		t.Errorf("an invalid gate: submitted jobs = %q, want none", s.jobs.Submitted)
	}
	s = newFixture(t, writeMetrics(`{}`))
	var tr step.TrainOutput
	_ = json.Unmarshal(s.r.Inputs["train"], &tr)
	_ = os.WriteFile(tr.Dir+"/model.bin", []byte("other"), 0o644)
	if _, err := s.run(t); !fault.Is(err, fault.Corrupt) {
		t.Errorf("another model than was trained: error = %v, want %s", err, fault.Corrupt)
	}
	s = newFixture(t, writeMetrics(`{}`))
	s.r.Inputs = nil
	if _, err := s.run(t); !fault.Is(err, fault.Internal) {
		t.Errorf("without a model: error = %v, want %s", err, fault.Internal)
	}
	s = newFixture(t, "true")
	s.Records.Fail = func(m string) error { return fmt.Errorf("%s: disk", m) }
	s.w.Run = writeMetrics(`{"a":1}`)
	if _, err := s.run(t); err == nil {
		t.Error("records that can't be read: no error, want one")
	}
}

func TestParseMetrics(t *testing.T) {
	good := []string{`{}`, `{"a":1,"b":{"c":[1,2.5e3,null,"x",true]}}`, " {\"a\": -0.1}\n"}
	bad := []string{``, `[]`, `1`, `null`, `{"a":1`, `{"a":1}{}`, `{"a":1} x`, `{"a":1,"a":2}`, `{"a":NaN}`, `{"a":Infinity}`,
		`{"a":-Infinity}`, `{"a":1e999}`, `{"a":01}`, `{a:1}`, `{"a":1,}`, `{"a":[1,]}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)}
	for _, text := range good {
		if m, err := parseMetrics([]byte(text)); err != nil || m == nil {
			t.Errorf("parseMetrics(%s) = %v, error = %v, want metrics", text, m, err)
		}
	}
	for _, text := range bad {
		if m, err := parseMetrics([]byte(text)); err == nil {
			t.Errorf("parseMetrics(%s) = %v, want an error", text, m)
		}
	}
	if hint := metricsHint([]byte(`{"a": -Infinity}`)); !strings.Contains(hint, "NaN and Infinity") {
		t.Errorf("hint for -Infinity = %q, want %q in it", hint, "NaN and Infinity")
	}
	if hint := metricsHint([]byte(`{"a": 1`)); strings.Contains(hint, "NaN") {
		t.Errorf("hint for a missing brace = %q, want it without %q", hint, "NaN")
	}
}

func FuzzParseMetrics(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[1,2.5e3,null,"x",true]}}`))
	f.Add([]byte(`{"a":NaN}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMetrics(raw)
		if err != nil {
			return
		}
		if m == nil || !json.Valid(raw) {
			t.Errorf("parseMetrics(%q) = %v, want an error", raw, m)
		}
		_ = checkRows(m, "a.b")
	})
}

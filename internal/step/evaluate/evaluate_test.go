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

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

const env = delivery.Environment("prod")

type scene struct {
	*fake.Environment
	jobs   *fake.Jobs
	step   Step
	r      step.Request
	w      step.EvaluateParams
	events []event.Event
}

func newScene(t *testing.T, run string, gates ...string) *scene {
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
	s := &scene{Environment: fake.NewEnvironment(), jobs: &fake.Jobs{Commands: fake.Shell{}, Logs: root}}
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

func (s *scene) run(t *testing.T) (step.Result, error) {
	t.Helper()
	s.r.Spec.Params, _ = json.Marshal(s.w)
	return s.step.Run(t.Context(), s.r)
}

func wrote(metrics string) string { return fmt.Sprintf("printf '%%s' '%s' > {{.Metrics}}", metrics) }

func TestEvaluate(t *testing.T) {
	fine := wrote(`{"accuracy": 0.87, "rows": 100}`)
	cases := []struct {
		name    string
		run     string
		rows    string
		gates   []string
		outcome delivery.Outcome
		says    string
		answers []delivery.Verdict
	}{
		{"passes", fine, "", []string{"accuracy >= 0.8", "rows > 50"}, delivery.OutcomeSucceeded, "2 of 2", []delivery.Verdict{"passed", "passed"}},
		{"no gates", fine, "", nil, delivery.OutcomeSucceeded, "0 of 0", nil},
		{"too bad", fine, "", []string{"accuracy >= 0.9", "rows > 50"}, delivery.OutcomeFailed, "not good enough: accuracy >= 0.9 (accuracy = 0.87)", []delivery.Verdict{"failed", "passed"}},
		{"no such metric", fine, "", []string{"f1 >= 0.1", "accuracy >= 0.9"}, delivery.OutcomeFailed, "investigate: f1", []delivery.Verdict{"unavailable", "failed"}},
		{"null", wrote(`{"accuracy": null}`), "", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "investigate", []delivery.Verdict{"unavailable"}},
		{"no metrics", "true", "", nil, delivery.OutcomeFailed, "investigate: the evaluation wrote no metrics", []delivery.Verdict{"unavailable"}},
		{"NaN", wrote(`{"accuracy": NaN}`), "", []string{"accuracy < 2.0"}, delivery.OutcomeFailed, "investigate", []delivery.Verdict{"unavailable"}},
		{"zero rows", wrote(`{"accuracy": 1, "rows": 0}`), "", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "investigate: zero rows", []delivery.Verdict{"unavailable"}},
		{"zero rows, by name", wrote(`{"accuracy": 1, "test": {"n": 0}}`), "test.n", []string{"accuracy >= 0.1"}, delivery.OutcomeFailed, "zero rows", []delivery.Verdict{"unavailable"}},
		{"rows asked for and missing", wrote(`{"accuracy": 1}`), "test.n", nil, delivery.OutcomeFailed, `have no "test.n"`, []delivery.Verdict{"unavailable"}},
		{"rows no number", wrote(`{"rows": "many"}`), "", nil, delivery.OutcomeFailed, "not a number", []delivery.Verdict{"unavailable"}},
		{"command fails", "echo boom; exit 4", "", nil, delivery.OutcomeFailed, "(exit 4); last line of output: boom", nil},
		{"data changed", wrote(`{"accuracy": 1}`) + "; echo 2 >> {{.Data}}", "", nil, delivery.OutcomeFailed, "changed while", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, c.run, c.gates...)
			s.w.RowsMetric = c.rows
			res, err := s.run(t)
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary+"\n"+res.Cause, c.says) {
				t.Fatalf("%s %q %q, %v", res.Outcome, res.Summary, res.Cause, err)
			}
			var got []delivery.Verdict
			for _, a := range res.GateResults {
				got = append(got, a.Verdict)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.answers) || len(s.events) != len(c.answers) {
				t.Errorf("answers %v, %d events", res.GateResults, len(s.events))
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
	s := newScene(t, `test -f {{.Model}}/model.bin && `+wrote(`{"accuracy":0.5}`), "accuracy >= 0.1", "accuracy >= champion.accuracy")
	res, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	out := output(t, res)
	for name, want := range map[string]string{"model.bin": "weights", "metrics.json": `{"accuracy":0.5}`} {
		if got, _ := os.ReadFile(filepath.Join(out.Dir, name)); string(got) != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if len(out.GateResults) != 1 || out.GateResults[0].Gate != "evaluate: accuracy >= 0.1" {
		t.Errorf("gates of the release: %v", out.GateResults)
	}
	if again, err := s.run(t); err != nil || string(again.Output) != string(res.Output) || len(s.jobs.Submitted) != 1 {
		t.Errorf("again: %s, %v", again.Output, err)
	}
}

// TestRevalidate_ChampionChanged asks the same cached metrics beside another champion.
func TestRevalidate_ChampionChanged(t *testing.T) {
	s := newScene(t, wrote(`{"accuracy":0.15}`), "accuracy >= champion.accuracy")
	res, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded || !strings.Contains(res.GateResults[0].Evidence, "no champion") {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	s.Serve(env, "20260101-000000-aaaa", s.Release(1), time.Now()) // accuracy 0.1
	fresh, ok, err := s.step.Revalidate(t.Context(), s.r, res)
	if err != nil || !ok || fresh.Outcome != delivery.OutcomeSucceeded || !fresh.Cached {
		t.Fatalf("%+v, %v, %v", fresh, ok, err)
	}
	s.Serve(env, "20260101-000001-aaaa", s.Release(2), time.Now()) // accuracy 0.2
	fresh, ok, err = s.step.Revalidate(t.Context(), s.r, res)
	if err != nil || !ok || fresh.Outcome != delivery.OutcomeFailed || len(s.jobs.Submitted) != 1 {
		t.Errorf("%+v, %v, %v", fresh, ok, err)
	}
	out := output(t, res)
	_ = os.Remove(out.Dir + "/model.bin")
	if _, ok, err := s.step.Revalidate(t.Context(), s.r, res); ok || err != nil {
		t.Errorf("a model that is not whole: %v, %v", ok, err)
	}
}

func TestRun_Refused(t *testing.T) {
	s := newScene(t, "true", "accuracy >=")
	if _, err := s.run(t); !fault.Is(err, fault.Invalid) || len(s.jobs.Submitted) > 0 {
		t.Errorf("a gate that can't be read: %v", err)
	}
	s = newScene(t, wrote(`{}`))
	var tr step.TrainOutput
	_ = json.Unmarshal(s.r.Inputs["train"], &tr)
	_ = os.WriteFile(tr.Dir+"/model.bin", []byte("other"), 0o644)
	if _, err := s.run(t); !fault.Is(err, fault.Corrupt) {
		t.Errorf("another model than was trained: %v", err)
	}
	s = newScene(t, wrote(`{}`))
	s.r.Inputs = nil
	if _, err := s.run(t); !fault.Is(err, fault.Internal) {
		t.Errorf("no model: %v", err)
	}
	s = newScene(t, "true")
	s.Records.Fail = func(m string) error { return fmt.Errorf("%s: disk", m) }
	s.w.Run = wrote(`{"a":1}`)
	if _, err := s.run(t); err == nil {
		t.Error("records that can't be read were taken for no champion")
	}
}

func TestParseMetrics(t *testing.T) {
	good := []string{`{}`, `{"a":1,"b":{"c":[1,2.5e3,null,"x",true]}}`, " {\"a\": -0.1}\n"}
	bad := []string{``, `[]`, `1`, `null`, `{"a":1`, `{"a":1}{}`, `{"a":1} x`, `{"a":1,"a":2}`, `{"a":NaN}`, `{"a":Infinity}`,
		`{"a":-Infinity}`, `{"a":1e999}`, `{"a":01}`, `{a:1}`, `{"a":1,}`, `{"a":[1,]}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)}
	for _, text := range good {
		if m, err := parseMetrics([]byte(text)); err != nil || m == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range bad {
		if m, err := parseMetrics([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, m)
		}
	}
	if !strings.Contains(metricsHint([]byte(`{"a": -Infinity}`)), "NaN and Infinity") || strings.Contains(metricsHint([]byte(`{"a": 1`)), "NaN") {
		t.Error("hints are wrong")
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
			t.Errorf("%q was taken for metrics: %v", raw, m)
		}
		_ = checkRows(m, "a.b")
	})
}

package gate_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/gate"
)

func metrics(t testing.TB, text string) delivery.Metrics {
	t.Helper()
	if text == "" {
		return nil
	}
	var m delivery.Metrics
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

const good = `{"accuracy": 0.87, "f1_macro": 0.71, "rows": 200, "note": "ok", "auc": null, "ready": true,
	"loss": "0.3", "per_class": {"LA": {"recall": 0.6}, "UM": {"recall": 0.4}}, "folds": [0.8, 0.9], "f1-micro": 0.9}`

func TestGate_Evaluate(t *testing.T) {
	champion := `{"accuracy": 0.875, "rows": 3}`
	cases := []struct {
		expr, champion string
		want           delivery.Verdict
		evidence       string
	}{
		{"accuracy >= 0.8", "", delivery.Passed, "accuracy = 0.87"},
		{"accuracy >= 0.9", "", delivery.Failed, "accuracy = 0.87"},
		{"accuracy > 0 && rows >= 100", "", delivery.Passed, "accuracy = 0.87, rows = 200"},
		{"rows / 3 > 66", "", delivery.Passed, "rows = 200"},
		{"1 - accuracy < 1", "", delivery.Passed, "accuracy = 0.87"},
		{"rows == 200", "", delivery.Passed, "rows = 200"},
		{"size(folds) + 1 == 3", "", delivery.Passed, "folds = [0.8,0.9]"},
		{"folds.size() * 0.5 == 1", "", delivery.Passed, "folds"},
		{"int(accuracy * 10) + 0.5 > 8", "", delivery.Passed, "accuracy"},
		{"folds[1] > 0.85", "", delivery.Passed, "folds"},
		{"folds.all(f, f > 0.85)", "", delivery.Failed, "folds"},
		{"folds.exists(f, f + 1 > 1.85)", "", delivery.Passed, "folds"},
		{"per_class.LA.recall > 0.5", "", delivery.Passed, "per_class.LA.recall = 0.6"},
		{`per_class["UM"].recall > 0.5`, "", delivery.Failed, "per_class.UM.recall = 0.4"},
		{"per_class.all(c, per_class[c].recall >= 0.4)", "", delivery.Passed, "per_class = "},
		{`metrics["f1-micro"] > 0.8`, "", delivery.Passed, `metrics["f1-micro"] = 0.9`},
		{"ready", "", delivery.Passed, "ready = true"},
		{"note == 'ok'", "", delivery.Passed, `note = "ok"`},
		{"accuracy >= champion.accuracy - 0.01", champion, delivery.Passed, "accuracy = 0.87, champion.accuracy = 0.875"},
		{"accuracy >= champion.accuracy", champion, delivery.Failed, "champion.accuracy = 0.875"},
		{"accuracy >= champion.accuracy", "", delivery.Passed, "no champion yet; accuracy = 0.87"},
		{"accuracy >= 0.9 && accuracy >= champion.accuracy", "", delivery.Failed, "accuracy = 0.87"},
		{"accuracy >= 0.8 && accuracy >= champion.accuracy", "", delivery.Passed, "no champion yet"},
		{"has(per_class.MM) ? per_class.MM.recall > 0.5 : rows > 1", "", delivery.Passed, "rows = 200"},
		{"!has(champion.f1_macro) || f1_macro >= champion.f1_macro", champion, delivery.Passed, "f1_macro = 0.71"},

		{"acuracy >= 0.8", "", delivery.Unavailable, `"acuracy" not found; did you mean "accuracy"?`},
		{"acuracy >= champion.accuracy", "", delivery.Unavailable, `did you mean "accuracy"?`},
		{"per_class.MM.recall > 0.5", "", delivery.Unavailable, `"MM" not found in per_class; available: LA, UM`},
		{"accuracy.mean > 0.5", "", delivery.Unavailable, `accuracy is a number and has no "mean"`},
		{"accuracy >= champion.f1_macro", champion, delivery.Unavailable, `"f1_macro" not found in champion`},
		{"accuracy > 0 || nothing > 0", "", delivery.Unavailable, `"nothing" not found`},
		{"auc > 0.5", "", delivery.Unavailable, "auc is null"},
		{"loss < 0.5", "", delivery.Unavailable, `loss is the string "0.3", not the number 0.3`},
		{"note > 0.5", "", delivery.Unavailable, "of different types"},
		{"accuracy", "", delivery.Unavailable, "the expression returned 0.87, not true or false"},
		{"!((rows - 200) / (rows - 200) < 1)", "", delivery.Unavailable, "which is not a finite number"},
		{"folds[7] > 0", "", delivery.Unavailable, "folds = "},
	}
	for _, c := range cases {
		t.Run(c.expr, func(t *testing.T) {
			g, err := gate.Compile(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			got := g.Evaluate(metrics(t, good), metrics(t, c.champion))
			if !strings.Contains(got.Evidence, c.evidence) {
				t.Errorf("evidence %q lacks %q", got.Evidence, c.evidence)
			}
			want := delivery.GateResult{Gate: c.expr, Verdict: c.want, Evidence: got.Evidence}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGate_Evaluate_NonFiniteNumbers proves that NaN passes no gate, not even a negated one.
func TestGate_Evaluate_NonFiniteNumbers(t *testing.T) {
	odd := delivery.Metrics{
		"accuracy": math.NaN(), "loss": math.Inf(-1),
		"folds": []any{0.9, math.NaN()}, "count": 3, "share": float32(0.5),
	}
	for expr, want := range map[string]delivery.Verdict{
		"accuracy >= 0.8":               delivery.Unavailable,
		"!(accuracy < 0.8)":             delivery.Unavailable,
		"loss < 0.5":                    delivery.Unavailable,
		"folds.all(f, !(f < 0.8))":      delivery.Unavailable,
		"count + 0.5 > 3 && share < 1":  delivery.Passed,
		"metrics.all(m, m != 'absent')": delivery.Unavailable,
	} {
		t.Run(expr, func(t *testing.T) {
			g, err := gate.Compile(expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Evaluate(odd, nil); got.Verdict != want {
				t.Errorf("verdict %s (%s), want %s", got.Verdict, got.Evidence, want)
			}
		})
	}
	var none gate.Gate
	if got := none.Evaluate(odd, nil); got.Verdict != delivery.Unavailable {
		t.Errorf("verdict of the zero gate: %s, want %s", got.Verdict, delivery.Unavailable)
	}
}

func TestCompile_Errors(t *testing.T) {
	cases := []struct {
		expr   string
		column int
		what   string
	}{
		{"", 1, "empty"},
		{"accuracy >>= 0.8", 11, "extraneous input"},
		{"accuracy >= ", 13, "the end"},
		{"accuracy - 0.8", 10, "returns a number"},
		{"size(folds)", 5, "returns a number"},
		{"0.9 >= 0.8", 1, "is constant"},
		{"true", 1, "is constant"},
		{"accuracy >= 0.8 && maximum(f1) > 1", 27, `unknown function "maximum"`},
		{"rows % 2 == 0", 6, "operator % is not supported"},
		{"'a' + note", 5, "returns a number"},
		{"[accuracy]", 1, "not bool"},
		{"accuracy > \xff", 1, "UTF-8"},
		{strings.Repeat("a", 1001), 1000, "longer than 1000"},
		{strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300), 1, "recursion"},
		{"google.rpc.Code{}.x > 1", 16, "message construction"},
	}
	for _, c := range cases {
		_, err := gate.Compile(c.expr)
		var e *gate.Error
		if !errors.As(err, &e) {
			t.Errorf("%q compiles, or %v", c.expr, err)
			continue
		}
		if !strings.Contains(e.Message, c.what) || e.Column != c.column {
			t.Errorf("%q: column %d: %q, want column %d: %q", c.expr, e.Column, e.Message, c.column, c.what)
		}
	}
}

// TestGate_Evaluate_LimitsCost proves that a hostile gate ends.
func TestGate_Evaluate_LimitsCost(t *testing.T) {
	list := "[1,2,3,4,5,6,7,8,9,0]"
	expr := "rows > 0"
	for i := range 7 {
		expr = list + ".all(x" + string(rune('a'+i)) + ", " + expr + ")"
	}
	g, err := gate.Compile(expr)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Evaluate(metrics(t, good), nil); got.Verdict != delivery.Unavailable || !strings.Contains(got.Evidence, "too expensive") {
		t.Errorf("result %s (%s), want %s (too expensive)", got.Verdict, got.Evidence, delivery.Unavailable)
	}
}

func TestCheck_Evaluate(t *testing.T) {
	reply := gate.Response{
		Status: 200, Body: []byte(`{"class": "LA", "count": 3, "note": null, "items": [1, 2]}`),
		Headers: map[string]string{"content-type": "application/json"}, Release: "r-0123456789ab", ModelVersion: "m:3",
	}
	cases := []struct {
		expr string
		want bool
		why  string
	}{
		{"body.class in ['LA','MM','UM']", true, `body.class = "LA"`},
		{"body.class == 'MM'", false, `body.class = "LA"`},
		{"status == 200", true, "status = 200"},
		{"status in [200, 201]", true, "status = 200"},
		{"body.count + 1 == 4 && size(body.items) == 2", true, "body.count = 3"},
		{"body.note == null", true, "body.note = null"},
		{"headers['content-type'].startsWith('application/json')", true, "headers"},
		{"release != '' && model_version == 'm:3'", true, "model_version"},
		{"body.klass == 'LA'", false, `did you mean "class"?`},
		{"has(body.klass) && body.klass == 'LA'", false, ""},
		{"body.class > 3", false, "different types"},
	}
	for _, c := range cases {
		t.Run(c.expr, func(t *testing.T) {
			check, err := gate.CompileCheck(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			if holds, evidence := check.Evaluate(reply); holds != c.want || !strings.Contains(evidence, c.why) {
				t.Errorf("holds %v (%s), want %v (%s)", holds, evidence, c.want, c.why)
			}
		})
	}
	_, err := gate.CompileCheck("bodi.class == 'LA'")
	if err == nil || !strings.Contains(err.Error(), `did you mean "body"?`) {
		t.Errorf("an unknown name: %v", err)
	}
	check, _ := gate.CompileCheck("body == 'ok'")
	if yes, why := check.Evaluate(gate.Response{Body: []byte("ok")}); !yes {
		t.Errorf("a body that is no JSON: %s", why)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		"accuracy >= champion.accuracy - 0.01", `metrics["a"].all(x, x > 1)`, "has(a.b) ? a.b[0] : !c", "1 % a",
		"{1: a}[1] in [b]", "a.map(x, x + 1).exists(y, y == 2u)", "a.?b", "type(a) == int", `"\x00" + a == b'c'`,
	} {
		f.Add(s, good, "body.class == 'LA'")
	}
	f.Fuzz(func(t *testing.T, expr, text, check string) {
		var m delivery.Metrics
		_ = json.Unmarshal([]byte(text), &m)
		if g, err := gate.Compile(expr); err == nil {
			for _, champion := range []delivery.Metrics{nil, m, {}} {
				switch a := g.Evaluate(m, champion); a.Verdict {
				case delivery.Passed, delivery.Failed:
				case delivery.Unavailable:
					if a.Evidence == "" {
						t.Errorf("%q is unavailable without a reason", expr)
					}
				default:
					t.Errorf("%q answers %q", expr, a.Verdict)
				}
			}
		}
		if c, err := gate.CompileCheck(check); err == nil {
			c.Evaluate(gate.Response{Status: 200, Body: []byte(text)})
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := gate.Compile("accuracy >= champion.accuracy - 0.01"); err != nil {
			b.Fatal(err)
		}
	}
}

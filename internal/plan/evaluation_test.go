package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestEvaluationDoubts(t *testing.T) {
	const doubt = "the metrics may not be about this model: the evaluation names neither {{.Model}} nor {{.Data}}"
	reads := map[string]string{
		"evaluate.py": "open(os.environ['SLIPWAY_MODEL'])", "ml/evaluate.py": "SLIPWAY_DATA", "cmd/evaluate/main.go": `os.Getenv("SLIPWAY_MODEL")`,
		"copy.sh": "cp model_metrics.json $1", "argv.py": "open(sys.argv[1])", "Makefile": "SLIPWAY_MODEL",
	}
	cases := []struct{ name, run, dir, note string }{
		{"names the model", "python evaluate.py {{.Model}} {{.Metrics}}", "", ""},
		{"names the data", "python copy.py {{ .Data }} {{.Metrics}}", "", ""},
		{"by the environment variable", `python copy.py "$SLIPWAY_MODEL"`, "", ""},
		{"in braces", `python copy.py "${SLIPWAY_DATA}"`, "", ""},
		{"copies a file", "cp model_metrics.json {{.Metrics}}", "", doubt},
		{"a script that reads the variable", "python evaluate.py", "", ""},
		{"a script in dir", "python evaluate.py", "ml", ""},
		{"a module", "python -m ml.evaluate", "", ""},
		{"a Go package", "go run ./cmd/evaluate", "", ""},
		{"a script that does not", "sh copy.sh {{.Metrics}}", "", doubt},
		{"a script with arguments of its own", "python argv.py models/latest {{.Metrics}}", "", doubt},
		{"a script that does not exist", "python other.py", "", doubt},
		{"one that is not named", "make evaluate", "", doubt},
		{"a script outside", "python ../evaluate.py", "", doubt},
		{"another variable", "echo $SLIPWAY_MODELS", "", doubt},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := plan.EvaluationDoubts(config.Evaluate{Run: c.run, Dir: c.dir, Gates: []string{"a > 1.0"}}, reads)
			if d.Note != c.note || (len(d.Warnings()) > 0) != (c.note != "") {
				t.Errorf("note %q, warnings %q, want %q", d.Note, d.Warnings(), c.note)
			}
		})
	}
}

func TestNew_WarnsOfTheEvaluation(t *testing.T) {
	const command = `run: "evaluate {{.Data}} {{.Model}} {{.Metrics}}", inputs: ["cmd/evaluate/**"], gates: [accuracy >= 0.8]`
	cases := []struct {
		name, evaluate string
		note           string
		warnings       []string
		params         string // part of the evaluate step's parameters
	}{
		{"none", command, "", nil, `"run":"evaluate`},
		{"no gates", `run: "evaluate {{.Model}} {{.Metrics}}"`, "", []string{"model.evaluate: no gates: any model passes"}, `"run":"evaluate`},
		{"another model", `run: "cp m.json {{.Metrics}}", gates: [accuracy >= 0.8]`, "the metrics may not be about this model",
			[]string{"model.evaluate.run: the metrics may not be about this model: the evaluation names neither {{.Model}} nor {{.Data}}, and no script in it mentions SLIPWAY_MODEL or SLIPWAY_DATA"}, `"run":"cp m.json`},
		{"of training", `from: train, gates: [accuracy >= 0.8]`, "reported by training itself", nil, `"file":"metrics.json"`},
		{"of training, another file", `from: train, metrics: ./a/m.json, gates: [accuracy >= 0.8]`, "reported by training itself", nil, `"file":"a/m.json"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := plan.New(project(t, strings.Replace(file, command, c.evaluate, 1)), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, facts())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.warnings, p.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Evaluate })
			w, err := step.ParamsOf[step.EvaluateParams](p.Steps[i])
			if err != nil || !strings.HasPrefix(w.Note, c.note) || (w.Note == "") != (c.note == "") || !strings.Contains(string(p.Steps[i].Params), c.params) {
				t.Errorf("parameters %s, %v; want the note %q, and %s", p.Steps[i].Params, err, c.note, c.params)
			}
		})
	}
	p, err := plan.New(project(t, strings.Replace(file, command, "from: train", 1)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Until: "build"}, facts())
	if err != nil || len(p.Warnings) > 0 {
		t.Errorf("a plan without an evaluation: warnings %q, %v, want none", p.Warnings, err)
	}
}

func TestNew_FolderOfCommand(t *testing.T) {
	in := func(dir string) error {
		text := strings.Replace(file, `run: "train {{.Data}} {{.Output}}",`, `run: "train {{.Output}}", dir: `+dir+`,`, 1)
		_, err := plan.New(project(t, text), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, facts())
		return err
	}
	for _, dir := range []string{"cmd/train", "./cmd", "."} {
		if err := in(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	err := in("cmd/trian")
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "model.train.dir: folder cmd/trian not found") || !strings.Contains(fault.HintOf(err), "cmd/train") {
		t.Errorf("error = %v (%s), want one that names cmd/train", err, fault.HintOf(err))
	}
}

package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/port"
)

func TestScriptOf(t *testing.T) {
	for run, want := range map[string]string{
		"python train.py":                      "train.py",
		"python3.11 -u src/train.py --fast":    "src/train.py",
		"PYTHONPATH=src python train.py":       "train.py",
		"./train.sh {{.Data}}":                 "./train.sh",
		"scripts/train -d {{.Data}}":           "scripts/train",
		"sh -eu train.sh | tee log":            "train.sh",
		"python -m pytest -q":                  "",
		"python -c 'print(1)'":                 "",
		"python \"$SCRIPT\"":                   "",
		"pytest -q --junitxml={{.Report}}":     "",
		"set -eu; python train.py":             "",
		"make gen && python generated.py":      "",
		"cd sub && python train.py":            "",
		"/usr/bin/env python train.py":         "",
		"go run ./cmd/train -data {{.Data}}":   "",
		"if true; then python train.py; fi":    "",
		"":                                     "",
		"${RUNNER:-python} train.py":           "",
		"python {{.Data}}/train.py":            "",
		"python manage.py test && echo done":   "manage.py",
		"python train.py\npython other.py":     "train.py",
		"FOO=\"a b\" python train.py":          "",
		"python train.py;echo":                 "",
		"python ../shared/train.py":            "../shared/train.py",
		"Rscript --vanilla analysis/model.R x": "analysis/model.R",
	} {
		if got := scriptOf(run); got != want {
			t.Errorf("script of %q = %q, want %q", run, got, want)
		}
	}
}

func TestFileCheck(t *testing.T) {
	files := []port.File{
		{Path: "Dockerfile"}, {Path: "server/main.py"}, {Path: "train/train.py"}, {Path: "eval.py"}, {Path: "k8s/app.yaml"}, {Path: "linked", Mode: "120000"},
	}
	for name, c := range map[string]struct {
		look func(fileCheck)
		want string // problem and hint; empty: none
	}{
		"there":              {func(c fileCheck) { c.file("key", "./server/main.py") }, ""},
		"a folder":           {func(c fileCheck) { c.folder("key", "k8s/") }, ""},
		"the whole":          {func(c fileCheck) { c.folder("key", "") }, ""},
		"either":             {func(c fileCheck) { c.either("key", "k8s/app.yaml"); c.either("key", "k8s") }, ""},
		"outside":            {func(c fileCheck) { c.file("key", "../lib/x.py") }, ""},
		"behind a symlink":   {func(c fileCheck) { c.command("key", "linked", "python x.py") }, ""},
		"elsewhere":          {func(c fileCheck) { c.file("key", "server/Dockerfile") }, "slipway.yaml: key: file server/Dockerfile not found in the commit -> did you mean Dockerfile? New files must be committed"},
		"misspelt":           {func(c fileCheck) { c.command("key", "train", "python trian.py") }, "slipway.yaml: key: file train/trian.py not found in the commit -> did you mean train/train.py? New files must be committed"},
		"others of the kind": {func(c fileCheck) { c.command("key", "", "python -u fit_everything.py") }, "slipway.yaml: key: file fit_everything.py not found in the commit -> the commit has eval.py, server/main.py, train/train.py; new files must be committed"},
		"no folder":          {func(c fileCheck) { c.either("key", "manifests") }, "slipway.yaml: key: path manifests not found in the commit -> new files must be committed"},
	} {
		t.Run(name, func(t *testing.T) {
			var found problems
			c.look(fileCheck{repository: t.TempDir(), files: files, found: &found})
			got := ""
			for _, p := range found {
				got += p.Text + " -> " + p.Hint
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

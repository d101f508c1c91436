package plan

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
)

// Doubts are what people should know about how models are evaluated.
type Doubts struct {
	Note    string // about where the metrics come from
	NoGates bool   // any model passes
	suspect bool   // Note is a warning
}

// The notes.
const (
	reportedByTraining = "reported by training itself"
	maybeAnotherModel  = "the metrics may not be about this model: the evaluation names neither {{.Model}} nor {{.Data}}"
	noGates            = "no gates: any model passes"
)

// Warnings lists them with their keys of slipway.yaml.
func (d Doubts) Warnings() []string {
	var out []string
	if d.suspect {
		out = append(out, "model.evaluate.run: "+d.Note+", and no script in it mentions SLIPWAY_MODEL or SLIPWAY_DATA")
	}
	if d.NoGates {
		out = append(out, "model.evaluate: "+noGates)
	}
	return out
}

// StatusNotes lists them for people who look at what is deployed.
func (d Doubts) StatusNotes() []string {
	var out []string
	if d.Note != "" {
		out = append(out, "evaluation: "+d.Note)
	}
	if d.NoGates {
		out = append(out, "evaluation: "+noGates)
	}
	return out
}

// ofThisModel matches what a command, or a script, gets this run's model or data by.
var ofThisModel = regexp.MustCompile(`\{\{\s*\.(Model|Data)\s*\}\}|SLIPWAY_(MODEL|DATA)\b`)

// EvaluationDoubts judges an evaluation by its command, and by the scripts that the
// command names. It looks no further: a script may get the model from a module that
// it imports, and then the doubt is unfounded. scripts is by their paths.
func EvaluationDoubts(e config.Evaluate, scripts map[string]string) Doubts {
	d := Doubts{NoGates: len(e.Gates) == 0}
	if e.From == config.FromTraining {
		d.Note = reportedByTraining
		return d
	}
	if ofThisModel.MatchString(e.Run) {
		return d
	}
	for _, name := range EvaluationScripts(e) {
		if ofThisModel.MatchString(scripts[name]) {
			return d
		}
	}
	d.Note, d.suspect = maybeAnotherModel, true
	return d
}

var (
	commandWord  = regexp.MustCompile(`[^\s'"();|&<>=$` + "`" + `]+`)
	pythonModule = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// maxScripts is how many files one command is taken to name.
const maxScripts = 50

// EvaluationScripts lists the files that the evaluation command may name, relative to
// slipway.yaml: a script, a Python module, or the main file of a Go package. Most do
// not exist. It is empty if the command names this run's model or data itself.
func EvaluationScripts(e config.Evaluate) []string {
	if ofThisModel.MatchString(e.Run) {
		return nil
	}
	var names []string
	add := func(name string) {
		name = path.Join(e.Dir, name)
		if len(names) < maxScripts && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	before := ""
	for _, word := range commandWord.FindAllString(e.Run, -1) {
		switch {
		case before == "-m" && pythonModule.MatchString(word):
			file := strings.ReplaceAll(word, ".", "/")
			add(file + ".py")
			add(file + "/__main__.py")
		case strings.HasPrefix(word, "./") && path.Ext(word) == "":
			add(word)
			add(word + "/main.go")
		case strings.ContainsAny(word, "./") && !strings.HasPrefix(word, "-"):
			add(word)
		}
		before = word
	}
	return names
}

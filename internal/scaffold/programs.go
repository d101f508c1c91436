package scaffold

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// program is a main package or a script that trains or evaluates.
type program struct {
	path   string // ./cmd/train, or training/train.py
	isGo   bool
	source []byte
}

// option is a value that a command needs, and how programs call it.
type option struct {
	value string
	names []string
	file  bool // the value is a folder, and the program may want a file in it
}

// modelExtensions are those of the files that training writes.
const modelExtensions = `(?:pkl|joblib|json|txt|onnx|h5|keras|pt|pth|bst|ubj|cbm|sav|pickle|model)`

var (
	outputOptions  = []string{"out", "output", "output-dir", "output_dir", "out-dir", "out_dir", "model-dir", "model_dir", "model-path", "model_path", "save-dir", "save_dir", "save-path", "artifacts", "artifact-dir", "artifacts-dir"}
	dataOptions    = []string{"data", "input", "csv", "data-path", "data_path", "dataset", "train-data", "train_data", "data-dir", "data_dir", "input-path", "input_path"}
	modelOptions   = []string{"model", "model-dir", "model_dir", "model-path", "model_path", "artifact", "artifacts", "checkpoint"}
	metricsOptions = []string{"out", "metrics", "output", "metrics-path", "metrics_path", "metrics-file", "report", "results"}

	flagPattern = regexp.MustCompile(`(?:Var|String|add_argument|option)\(\s*(?:&?[\w.]+,\s*)?(?:["']-[a-zA-Z]["'],\s*)?["']-{0,2}([a-z][a-z0-9_-]*)["']`)
	defaultFile = regexp.MustCompile(`default\s*=\s*(?:[\w.]+\()?["'][^"']*?([\w.-]+\.` + modelExtensions + `)["']`)
	writtenFile = regexp.MustCompile(`(?m)^.*(?:dump|save|to_json|open\([^\n]*["']wb?["']|write_text|export).*$`)
	fileLiteral = regexp.MustCompile(`["']((?:[\w.-]+/)*[\w-]+\.` + modelExtensions + `)["']`)
	constant    = regexp.MustCompile(`(?m)^(\w+)\s*=\s*(?:[\w.]+\()?["']((?:[\w.-]+/)*[\w-]+\.` + modelExtensions + `)["']`)
	metricsName = regexp.MustCompile(`(?i)metric|score|eval|result`)
	cloudCode   = regexp.MustCompile(`\bsagemaker\b|create_training_job|azureml|aiplatform|/opt/ml/`)
	storageCode = regexp.MustCompile(`\bboto3\b|\baws s3\b|["']s3://|google\.cloud`)
)

// findModel makes commands of what trains and evaluates.
func (s *repoInfo) findModel() {
	train, ok := s.findProgram(isTraining, "train", "training", "fit")
	if !ok {
		return
	}
	s.TrainSource = strings.TrimPrefix(train.path, "./")
	dataSource := s.findData(train)
	evaluate, evaluates := s.findProgram(isEvaluation, "evaluate", "evaluation", "eval")
	written := s.filesWritten(train)
	_, takesFolder := findFlag(train.source, outputOptions...)
	if evaluates && metricsAmong(written) != "" && !takes(evaluate, modelOptions, metricsOptions) {
		evaluates = false // training writes them itself
	}
	if storageCode.Match(train.source) {
		s.lack("%s reads or writes cloud storage: name the variables with its credentials in model.train.env", s.TrainSource)
	}
	switch {
	case takesFolder || evaluates && len(written) == 0:
		s.Train = s.commandLine(train, option{"{{.Output}}", outputOptions, true})
	case len(written) > 0:
		s.Train = fmt.Sprintf("%s && cp %s {{.Output}}/", "python "+train.path, strings.Join(written, " "))
	default:
		s.Data, s.TrainProblem = "", "nothing says which files it writes"
		return
	}
	s.TrainInputs, s.TrainPython = s.inputGlobs(train), s.pythonOf(train)
	if evaluates {
		s.Evaluate = s.commandLine(evaluate, option{"{{.Model}}", modelOptions, false}, option{"{{.Metrics}}", metricsOptions, false})
		s.EvalInputs, s.EvalPython = s.inputGlobs(evaluate), s.pythonOf(evaluate)
		s.proposeGates(evaluate.source)
		s.note("model.evaluate.run", s.Evaluate, strings.TrimPrefix(evaluate.path, "./"))
	} else if metrics := metricsAmong(written); metrics != "" {
		s.EvalMetrics = path.Base(metrics)
		s.proposeGates(train.source)
		s.gatesOfFile(s.EvalMetrics)
		s.note("model.evaluate.from", "train: "+s.EvalMetrics, s.TrainSource)
	} else {
		s.Train, s.Data, s.TrainProblem = "", "", "nothing evaluates it: no evaluate.py was found, and training writes no metrics"
		return
	}
	s.note("model.train.run", s.Train, s.TrainSource)
	if s.Data != "" {
		s.note("model.data", s.Data, dataSource)
	}
}

// takes reports whether a program has one of each of the options.
func takes(p program, options ...[]string) bool {
	for _, names := range options {
		if _, found := findFlag(p.source, names...); !found {
			return false
		}
	}
	return true
}

func metricsAmong(files []string) string {
	for _, f := range files {
		if path.Ext(f) == ".json" && metricsName.MatchString(path.Base(f)) {
			return f
		}
	}
	return ""
}

func isTraining(p program) bool {
	base := strings.TrimSuffix(path.Base(p.path), ".py")
	return strings.Contains(base, "train") && (strings.Contains(string(p.source), "__main__") || fittingCode.Match(p.source)) && !cloudCode.Match(p.source)
}

func isEvaluation(p program) bool {
	base := strings.TrimSuffix(path.Base(p.path), ".py")
	return (strings.Contains(base, "evaluat") || strings.HasPrefix(base, "eval_")) && strings.Contains(string(p.source), "__main__") && !cloudCode.Match(p.source)
}

// findProgram finds a main package or a script by its name, or else the one that fits.
func (s *repoInfo) findProgram(fits func(program) bool, names ...string) (program, bool) {
	for _, dir := range sortedKeys(s.mains) {
		if slices.Contains(names, path.Base(dir)) {
			return program{"./" + dir, true, s.mains[dir]}, true
		}
	}
	var scripts []program
	for _, file := range sortedKeys(s.scripts) {
		if isOfProgram(file) && path.Base(file) != "__init__.py" {
			scripts = append(scripts, program{file, false, s.scripts[file]})
		}
	}
	named := func(p program) bool {
		return slices.Contains(names, strings.TrimSuffix(path.Base(p.path), ".py")) && !cloudCode.Match(p.source)
	}
	for _, match := range []func(program) bool{named, fits} {
		if i := slices.IndexFunc(scripts, match); i >= 0 {
			return scripts[i], true
		}
	}
	return program{}, false
}

// commandLine calls a program with what it needs.
func (s *repoInfo) commandLine(p program, needs ...option) string {
	dash, text := "--", "python "+p.path
	if p.isGo {
		dash, text = "-", "go run "+p.path
	} else if s.isModule(p) {
		text = "python -m " + strings.ReplaceAll(strings.TrimSuffix(p.path, ".py"), "/", ".")
	}
	if s.Data != "" {
		if _, found := findFlag(p.source, dataOptions...); found || !strings.Contains(string(p.source), s.Data) {
			needs = append([]option{{"{{.Data}}", dataOptions, false}}, needs...)
		}
	}
	if flag, found := findFlag(p.source, dataOptions...); found && s.Data == "" && !strings.Contains(flagText(p.source, flag), "default") {
		s.lack("%s takes %s%s, and no data was found in the repository: name it in model.data, and write %s%s {{.Data}} into the command", strings.TrimPrefix(p.path, "./"), dash, flag, dash, flag)
		s.Unsure = true
	}
	for _, n := range needs {
		flag, found := findFlag(p.source, n.names...)
		if !found {
			s.lack("%s: no option for %s was recognized; the command in the file guesses %s%s", strings.TrimPrefix(p.path, "./"), n.value, dash, flag)
			s.Unsure = true
		}
		value := n.value
		if m := defaultFile.FindStringSubmatch(flagText(p.source, flag)); n.file && m != nil {
			value += "/" + m[1]
		}
		text += " " + dash + flag + " " + value
	}
	return text
}

// findFlag finds the option of a program that is spelled in one of these ways.
func findFlag(source []byte, ways ...string) (name string, found bool) {
	var has []string
	for _, m := range flagPattern.FindAllSubmatch(source, -1) {
		has = append(has, string(m[1]))
	}
	for _, w := range ways {
		if slices.Contains(has, w) {
			return w, true
		}
	}
	return ways[0], false
}

// flagText is the source after the name of an option, up to the next one.
func flagText(source []byte, name string) string {
	const maxText = 400
	for _, m := range flagPattern.FindAllSubmatchIndex(source, -1) {
		if string(source[m[2]:m[3]]) == name {
			text := string(source[m[1]:min(len(source), m[1]+maxText)])
			text, _, _ = strings.Cut(text, "add_argument")
			return text
		}
	}
	return ""
}

// filesWritten are the files that a script writes to fixed paths: models and metrics.
func (s *repoInfo) filesWritten(p program) []string {
	if p.isGo {
		return nil
	}
	constants := map[string]string{}
	for _, m := range constant.FindAllStringSubmatch(string(p.source), -1) {
		constants[m[1]] = m[2]
	}
	var out []string
	add := func(file string) {
		if !slices.Contains(out, file) && safePath.MatchString(file) {
			out = append(out, file)
		}
	}
	for _, line := range writtenFile.FindAllString(string(p.source), -1) {
		for _, m := range fileLiteral.FindAllStringSubmatch(line, -1) {
			add(m[1])
		}
		for _, name := range sortedKeys(constants) {
			if regexp.MustCompile(`\b` + name + `\b`).MatchString(line) {
				add(constants[name])
			}
		}
	}
	return out
}

// findData takes the data that training names, or the first file of data, and returns
// what is known about it.
func (s *repoInfo) findData(train program) string {
	var all []string
	for _, f := range s.repo.files {
		if name := strings.TrimSuffix(f, ".dvc"); path.Ext(name) == ".csv" || path.Ext(name) == ".parquet" {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return ""
	}
	i := slices.IndexFunc(all, func(f string) bool {
		return strings.Contains(string(train.source), path.Base(strings.TrimSuffix(f, ".dvc")))
	})
	source := s.TrainSource
	if i < 0 {
		i, source = 0, "the first file of data"
	}
	s.Data = strings.TrimSuffix(all[i], ".dvc")
	switch {
	case strings.HasPrefix(s.repo.text(all[i]), "version https://git-lfs"):
		source += "; kept by Git LFS"
	case !s.repo.has(s.Data):
		source += "; kept by DVC"
		s.lack("%s is kept by DVC: run `dvc pull %s` before `slipway run`", s.Data, all[i])
	}
	return source
}

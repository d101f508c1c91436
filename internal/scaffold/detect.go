package scaffold

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// repoInfo is what a repository has.
type repoInfo struct {
	Service     string
	GoModule    string
	GoTests     bool
	PythonTests bool
	Python      bool
	Installs    string // what Python tests are installed from, as YAML: requirements: r.txt
	Server      string // ./cmd/api
	Train       string // command, as YAML
	Evaluate    string
	TrainInputs string // list, as YAML; "" for all files
	EvalInputs  string
	Gates       []string // as YAML
	Data        string
	Dockerfile  string
	Manifests   string // k8s/, or a file at the top
	Health      string
	Branch      string

	mains    map[string][]byte // folder of a main package -> its source
	scripts  map[string][]byte // Python files
	topLevel map[string]bool   // names at the top
	metrics  []string          // names of metrics that sources mention
}

// How much of a repository is looked at.
const (
	maxFiles     = 5000
	maxDepth     = 6
	maxFileBytes = 256 << 10
)

var (
	modulePattern = regexp.MustCompile(`(?m)^module\s+(\S+)`)
	safePath      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
	healthPattern = regexp.MustCompile(`["' ](/(?:healthz?|api/health|livez))["']`)
	metricPattern = regexp.MustCompile(`["'](accuracy|f1_macro|f1|auc|roc_auc|rmse|mae|r2)["',:]`)
	flagPattern   = regexp.MustCompile(`(?:Var|String|add_argument)\((?:&?[\w.]+,\s*)?["']-{0,2}([a-z][a-z-]*)["']`)
	skippedDirs   = []string{".git", ".slipway", "vendor", "node_modules", "testdata", "venv", ".venv", "__pycache__"}
	lowerIsBetter = []string{"rmse", "mae"}
)

// detect walks the repository once.
func detect(fsys fs.FS) (*repoInfo, error) {
	s := &repoInfo{mains: map[string][]byte{}, scripts: map[string][]byte{}, topLevel: map[string]bool{}, Health: "/health", Branch: mainBranch(fsys)}
	left := maxFiles
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return nil //nolint:nilerr // what can't be read is not looked at
		case d.IsDir() && name != ".":
			if slices.Contains(skippedDirs, d.Name()) || strings.Count(name, "/") >= maxDepth {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && safePath.MatchString(name):
			if left--; left < 0 {
				return fs.SkipAll
			}
			s.addFile(fsys, name)
		}
		return nil
	})
	s.infer()
	return s, err
}

func (s *repoInfo) addFile(fsys fs.FS, name string) {
	base, ext := path.Base(name), path.Ext(name)
	top, _, _ := strings.Cut(name, "/")
	s.topLevel[top] = true
	switch {
	case name == "go.mod":
		if m := modulePattern.FindSubmatch(readHead(fsys, name)); m != nil {
			s.GoModule = string(m[1])
		}
	case strings.HasSuffix(base, "_test.go"):
		s.GoTests = true
	case ext == ".go":
		s.addGoFile(name, readHead(fsys, name))
	case base == "requirements.txt" || base == "pyproject.toml" || base == "setup.py":
		s.Python = true
	case base == "requirements-dev.txt" || base == "requirements-test.txt" || name == "uv.lock":
		s.addPythonInstall(name)
	case strings.HasPrefix(base, "test_") && ext == ".py":
		s.PythonTests = true
	case ext == ".py":
		s.scripts[name] = readHead(fsys, name)
		s.scanSource(s.scripts[name])
	case base == "Dockerfile" && s.Dockerfile == "":
		s.Dockerfile = name
	case (ext == ".yaml" || ext == ".yml") && s.Manifests == "":
		// A chart is known by its own file, which comes before its templates.
		if text := string(readHead(fsys, name)); base == "Chart.yaml" || strings.Contains(text, "apiVersion:") && strings.Contains(text, "kind:") {
			if s.Manifests = path.Dir(name) + "/"; s.Manifests == "./" && base != "Chart.yaml" {
				s.Manifests = name // the folder has other files too
			}
		}
	case (ext == ".csv" || ext == ".parquet") && s.Data == "":
		s.Data = name
	}
}

// addPythonInstall notes what Python tests are most likely installed from: a lock before
// requirements for development. Others may well lack pytest.
func (s *repoInfo) addPythonInstall(name string) {
	switch {
	case path.Base(name) == "uv.lock":
		s.Installs = "lock: " + name
	case s.Installs == "":
		s.Installs = "requirements: " + name
	}
}

func (s *repoInfo) addGoFile(name string, source []byte) {
	f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.PackageClauseOnly)
	if err != nil {
		return
	}
	if dir := path.Dir(name); f.Name.Name == "main" {
		s.mains[dir] = append(s.mains[dir], source...)
	}
	s.scanSource(source)
}

// scanSource looks for health paths and names of metrics in a source file.
func (s *repoInfo) scanSource(source []byte) {
	if m := healthPattern.FindSubmatch(source); m != nil {
		s.Health = string(m[1])
	}
	for _, m := range metricPattern.FindAllSubmatch(source, -1) {
		if n := string(m[1]); !slices.Contains(s.metrics, n) {
			s.metrics = append(s.metrics, n)
		}
	}
}

func readHead(fsys fs.FS, name string) []byte {
	f, err := fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data := make([]byte, maxFileBytes)
	n := 0
	for n < len(data) {
		k, err := f.Read(data[n:])
		n += k
		if err != nil || k == 0 {
			break
		}
	}
	return data[:n]
}

// mainBranch is the one that people merge to.
func mainBranch(fsys fs.FS) string {
	for _, name := range []string{"main", "master"} {
		if _, err := fs.Stat(fsys, ".git/refs/heads/"+name); err == nil {
			return name
		}
	}
	head := strings.TrimSpace(string(readHead(fsys, ".git/HEAD")))
	if name, ok := strings.CutPrefix(head, "ref: refs/heads/"); ok && safePath.MatchString(name) {
		return name
	}
	return "main"
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

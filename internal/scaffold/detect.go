package scaffold

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// Finding is a value of slipway.yaml and where it was found.
type Finding struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"` // a file, mostly with a line
}

// repoInfo is what a repository has.
type repoInfo struct {
	Service     string
	GoModule    string
	GoTests     bool
	PythonTests bool
	Python      bool
	Installs    string // what Python tests are installed from, as YAML: requirements: r.txt
	Server      string // ./cmd/api
	Tests       []testCommand

	Dockerfile, Context string
	Port                int
	PortAt              string
	Health, HealthAt    string
	Ready, ReadyAt      string
	Predict, PredictAt  string
	PredictBody         string // as YAML

	Train, TrainSource, TrainProblem string
	Evaluate                         string
	EvalMetrics                      string // that training writes; instead of Evaluate
	TrainInputs, EvalInputs          string // list, as YAML; "" for all files
	TrainPython, EvalPython          string // as YAML
	Unsure                           bool   // of the options of the commands
	Gates                            []string
	GatesAt                          string
	Data                             string

	Manifests string // k8s/, or a file at the top
	Branch    string

	// From a pipeline:
	Repository, RepositoryAt string
	Group, GroupAt           string
	KubeService              string
	Ignore, Inputs           []string
	Environments             []environment
	Cluster                  cluster

	Found    []Finding
	Missing  []string
	Services []Service

	repo       *repository
	lookPath   func(string) (string, error)
	from       *pipeline.Pipeline
	pipelines  []*pipeline.Pipeline
	mains      map[string][]byte // folder of a main package -> its source
	scripts    map[string][]byte // Python files
	classes    map[string]class
	routes     []route
	testsDir   string
	healthSeen string          // where a source mentions Health
	topLevel   map[string]bool // names at the top
	allSources []byte
}

var (
	lockFiles     = []string{"uv.lock", "poetry.lock", "Pipfile.lock", "conda-lock.yml"} // at the top
	modulePattern = regexp.MustCompile(`(?m)^module\s+(\S+)`)
	healthPattern = regexp.MustCompile(`["' ](/(?:healthz?|api/health|livez))["']`)
)

// detect looks at the repository once.
func detect(fsys fs.FS, opts Options) (*repoInfo, error) {
	repo, err := readRepository(fsys)
	if err != nil {
		return nil, err
	}
	s := &repoInfo{
		repo: repo, lookPath: opts.LookPath, from: opts.From, mains: map[string][]byte{}, scripts: map[string][]byte{}, topLevel: map[string]bool{},
		Service: serviceName(opts.Name), Health: "/health", Branch: mainBranch(opts.gitFolder(fsys)),
	}
	for _, name := range repo.files {
		s.addFile(name)
	}
	if s.from != nil {
		s.importPipeline()
	}
	s.infer()
	return s, nil
}

func (s *repoInfo) addFile(name string) {
	base, ext := path.Base(name), path.Ext(name)
	top, _, _ := strings.Cut(name, "/")
	s.topLevel[top] = true
	switch {
	case name == "go.mod":
		if m := modulePattern.FindStringSubmatch(s.repo.text(name)); m != nil {
			s.GoModule = m[1]
		}
	case strings.HasSuffix(base, "_test.go"):
		s.GoTests = true
	case ext == ".go":
		s.addGoFile(name, []byte(s.repo.text(name)))
	case base == "requirements.txt" || base == "pyproject.toml" || base == "setup.py":
		s.Python = true
	case base == "requirements-dev.txt" || base == "requirements-test.txt" || slices.Contains(lockFiles, name):
		s.addPythonInstall(name)
	case (strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_test.py")) && ext == ".py":
		s.PythonTests = true
	case ext == ".py":
		s.scripts[name] = []byte(s.repo.text(name))
		s.scanSource(name)
	case (ext == ".yaml" || ext == ".yml") && s.Manifests == "":
		s.addManifest(name)
	}
}

// addManifest notes manifests of Kubernetes. A chart is known by its own file, which
// comes before its templates.
func (s *repoInfo) addManifest(name string) {
	text, chart := s.repo.text(name), path.Base(name) == "Chart.yaml"
	if !chart && (!strings.Contains(text, "apiVersion:") || !strings.Contains(text, "kind:")) {
		return
	}
	if s.Manifests = path.Dir(name) + "/"; s.Manifests == "./" && !chart {
		s.Manifests = name // the folder has other files too
	}
}

// addPythonInstall notes what Python tests are most likely installed from: a lock before
// requirements for development. Others may well lack pytest.
func (s *repoInfo) addPythonInstall(name string) {
	switch {
	case slices.Contains(lockFiles, name):
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
	s.scanSource(name)
}

// scanSource looks for a health path in a source file, and keeps it for the names of
// metrics.
func (s *repoInfo) scanSource(name string) {
	source := s.repo.text(name)
	if m := healthPattern.FindStringSubmatchIndex(source); m != nil && s.HealthAt == "" && isOfProgram(name) {
		s.Health, s.healthSeen = source[m[2]:m[3]], fmt.Sprintf("%s:%d", name, lineOf(source, m[2]))
	}
	s.allSources = append(s.allSources, source...)
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

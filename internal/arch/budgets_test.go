package arch

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// budgetKinds are the inputs from outside. Each has a row in docs/budgets.md at least:
// the beginning of its first column, up to a colon.
var budgetKinds = []string{
	"Request", "Upgraded stream", "HTTP/2 connection", "Supervisor call", "Embedded registry",
	"Registry response", "Image", "Image layer", "Image layout", "Compressed content", "Model", "Attached statement", "Signature bundle", "SBOM", "Signing key",
	"Step log", "Job log", "Job output", "Job environment", "Supervisor log", "BuildKit log", "Replica log", "Log line", "Published log",
	"JUnit report", "Test stream", "Ruff report", "Metrics", "Training data", "VEX document", "Scanner report", "Scanner database",
	"Project file", "Policy", "Gate expression", "Manifests", "Requirements file", "Git output", "Git file", "Event log",
	"Pod log", "Pod metrics", "Kubernetes response", "Cluster history", "Port forward",
	"Shared log entry", "Shared blob list", "Shared run file",
	"Webhook response", "Prometheus response", "Health response", "Token response", "CI event", "Model registry response", "Provenance",
}

// budget is a row of docs/budgets.md.
type budget struct {
	input, limit, beyond, constant, tests string
}

// TestBudgets_AreTheConstants: docs/budgets.md lists every input from outside with its
// limit. The limits are the constants that it names, and its tests exist.
func TestBudgets_AreTheConstants(t *testing.T) {
	rows := readBudgets(t, "../../docs/budgets.md")
	known := testNames(t, "../..")
	code := newConstants("../..")
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	kinds := map[string]bool{}
	for _, row := range rows {
		kind, _, _ := strings.Cut(row.input, ":")
		kinds[kind] = true
		want, err := limitValue(row.limit)
		if err != nil {
			t.Errorf("%s: %v", row.input, err)
			continue
		}
		got, err := code.value(strings.Trim(row.constant, "`"))
		if err != nil {
			t.Errorf("%s: %v", row.input, err)
		} else if got != want {
			t.Errorf("%s: the page says %s (%d), and %s is %d", row.input, row.limit, want, row.constant, got)
		}
		tests := named.FindAllStringSubmatch(row.tests, -1)
		if len(tests) == 0 {
			t.Errorf("%s: no test shows the refusal", row.input)
		}
		for _, name := range tests {
			if !known[name[1]] {
				t.Errorf("%s: the test %s does not exist", row.input, name[1])
			}
		}
		if len(row.beyond) < 3 {
			t.Errorf("%s: what happens beyond %s is missing", row.input, row.limit)
		}
	}
	for _, kind := range budgetKinds {
		if !kinds[kind] {
			t.Errorf("%q has no row", kind)
		}
	}
}

// TestBudgets_FindsWrongRows proves that a wrong limit and an unknown constant are found.
func TestBudgets_FindsWrongRows(t *testing.T) {
	for limit, want := range map[string]int64{
		"64 MiB": 64 << 20, "1,000": 1000, "2,000,000 entries": 2_000_000, "30 s": int64(30 * time.Second), "500 ms": int64(500 * time.Millisecond), "4 TiB in all": 4 << 40,
	} {
		if got, err := limitValue(limit); err != nil || got != want {
			t.Errorf("limitValue(%q) = %d, %v, want %d", limit, got, err, want)
		}
	}
	code := newConstants("../..")
	if got, err := code.value("internal/adapter/local/proxy.defaultStallTimeout"); err != nil || got != int64(30*time.Second) {
		t.Errorf("a duration is %d, %v, want %d", got, err, int64(30*time.Second))
	}
	for _, unknown := range []string{"internal/adapter/local/proxy.missing", "internal/adapter/local/proxy.Proxy", "internal/missing.max", "max"} {
		if got, err := code.value(unknown); err == nil {
			t.Errorf("value(%q) = %d, want an error", unknown, got)
		}
	}
}

// readBudgets reads the tables of the page.
func readBudgets(t *testing.T, page string) (rows []budget) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| input") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			t.Errorf("%d cells instead of 5: %s", len(cells), line)
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, budget{cells[0], cells[1], cells[2], cells[3], cells[4]})
	}
	if len(rows) < len(budgetKinds) {
		t.Errorf("%d rows were found in %s", len(rows), page)
	}
	return rows
}

// limitValue returns a limit as a constant has it: bytes, nanoseconds, or a number.
func limitValue(limit string) (int64, error) {
	units := map[string]int64{
		"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"ms": int64(time.Millisecond), "s": int64(time.Second), "min": int64(time.Minute), "h": int64(time.Hour),
	}
	number, rest, _ := strings.Cut(limit, " ")
	n, err := strconv.ParseInt(strings.ReplaceAll(number, ",", ""), 10, 64)
	unit, _, _ := strings.Cut(rest, " ")
	if factor, ok := units[unit]; ok {
		n *= factor
	}
	return n, err
}

// constants evaluates constants of the packages below a folder.
type constants struct {
	root     string
	set      *token.FileSet
	standard types.Importer
	packages map[string]*types.Package
}

func newConstants(root string) *constants {
	set := token.NewFileSet()
	return &constants{root, set, importer.ForCompiler(set, "source", nil), map[string]*types.Package{}}
}

// value returns the value of a constant, "internal/pkg.Name".
func (c *constants) value(name string) (int64, error) {
	dot := strings.LastIndex(name, ".")
	if dot < 0 {
		return 0, strconv.ErrSyntax
	}
	pkg := c.packages[name[:dot]]
	if pkg == nil {
		var err error
		if pkg, err = c.check(filepath.Join(c.root, name[:dot])); err != nil {
			return 0, err
		}
		c.packages[name[:dot]] = pkg
	}
	object, ok := pkg.Scope().Lookup(name[dot+1:]).(*types.Const)
	if !ok {
		return 0, &unknownConstantError{name}
	}
	n, exact := constant.Int64Val(constant.ToInt(object.Val()))
	if !exact {
		return 0, &unknownConstantError{name}
	}
	return n, nil
}

type unknownConstantError struct{ name string }

func (e *unknownConstantError) Error() string { return e.name + " is not a constant number" }

// check returns a package of which only the constants are complete: function bodies and
// what it imports, except for time, are left out.
func (c *constants) check(dir string) (*types.Package, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		return nil, &unknownConstantError{dir}
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(c.set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	conf := types.Config{
		IgnoreFuncBodies: true,
		Importer:         timeOnly{c.standard},
		Error:            func(error) {}, // whatever the packages that are left out declare
	}
	pkg, _ := conf.Check(dir, c.set, files, nil) // its error is the first of those
	return pkg, nil
}

// timeOnly imports time, and every other package without its content.
type timeOnly struct{ types.Importer }

func (i timeOnly) Import(path string) (*types.Package, error) {
	if path == "time" {
		return i.Importer.Import(path)
	}
	empty := types.NewPackage(path, filepath.Base(path))
	empty.MarkComplete()
	return empty, nil
}

package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/slipway-cd/slipway/"

// TestImports holds every Go file of the product against the rules.
func TestImports(t *testing.T) {
	root := "../.."
	for _, im := range imports(t, root) {
		for _, broken := range check(im) {
			t.Error(broken)
		}
	}
}

// TestImports_FindsForbiddenOnes proves that a forbidden import of each sort is found.
func TestImports_FindsForbiddenOnes(t *testing.T) {
	cases := []struct {
		from, imported string
		banned         bool
	}{
		{"internal/delivery", module + "internal/fault", true},
		{"internal/step/build", module + "internal/step/test", true},
		{"internal/step/build", module + "internal/adapter/ko", true},
		{"internal/step/deploy", module + "internal/step/probe", false},
		{"internal/step/evaluate", module + "internal/gate", false},
		{"internal/adapter/oci", module + "internal/adapter/local", true},
		{"internal/adapter/local/container", module + "internal/adapter/local", false},
		{"internal/adapter/oci", module + "internal/engine", true},
		{"internal/cli", module + "internal/adapter/oci", true},
		{"internal/cli", module + "internal/step/build", true},
		{"internal/plan", module + "internal/engine", true},
		{"internal/app", "database/sql", true},
		{"internal/engine", "database/sql", false},
		{"internal/record/sqlite", "modernc.org/sqlite", false},
		{"internal/app", "github.com/spf13/cobra", true},
		{"internal/step/push", "github.com/google/go-containerregistry/pkg/v1", true},
		{"internal/app", "k8s.io/client-go/rest", true},
		{"internal/step/deploy", module + "internal/step/canary", false},
		{"internal/step/canary", module + "internal/step/canary/compare", false},
		{"internal/step/canary", module + "internal/step/deploy", true},
		{"internal/step/watch", "gonum.org/v1/gonum/stat/distuv", true},
		{"internal/step/canary/compare", "gonum.org/v1/gonum/stat/distuv", false},
		{"internal/step/canary", "github.com/prometheus/common/expfmt", true},
		{"internal/step/attest", "github.com/sigstore/sigstore-go/pkg/sign", true},
		{"internal/adapter/oci", "github.com/sigstore/sigstore-go/pkg/bundle", true},
		{"internal/adapter/sigstore", "github.com/sigstore/sigstore-go/pkg/sign", false},
		{"internal/step/attest", module + "internal/provenance", false},
		{"internal/step/trust", module + "internal/step/deploy", true},
		{"internal/provenance", module + "internal/port", true},
		{"internal/plan", module + "internal/atomicfile", true},
		{"internal/plan", module + "internal/textline", false},
		{"internal/step/deploy", module + "internal/wait", false},
		{"internal/flock", module + "internal/fault", true},
		{"internal/adapter/kubernetes/client", module + "internal/adapter/kubernetes/lease", true},
		{"internal/adapter/kubernetes/lease", module + "internal/adapter/kubernetes/client", false},
		{"internal/adapter/kubernetes", module + "internal/adapter/kubernetes/lease", false},
		{"internal/nowhere", "fmt", true},
	}
	for _, c := range cases {
		got := len(check(edge{file: "x.go", from: c.from, imported: c.imported})) > 0
		if got != c.banned {
			t.Errorf("%s -> %s: banned = %v, want %v", c.from, c.imported, got, c.banned)
		}
	}
}

// edge is one import in one file.
type edge struct {
	file, from, imported string
	test                 bool
}

func imports(t *testing.T, root string) []edge {
	t.Helper()
	var out []edge
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		for _, im := range f.Imports {
			name, _ := strconv.Unquote(im.Path.Value)
			out = append(out, edge{rel, filepath.ToSlash(filepath.Dir(rel)), name, strings.HasSuffix(path, "_test.go")})
		}
		return nil
	}
	if err := filepath.WalkDir(filepath.Join(root, "internal"), walk); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no import was found: the test looked in the wrong place")
	}
	return out
}

// check returns a sentence for each rule that the import breaks.
func check(e edge) []string {
	var broken []string
	if ours, ok := strings.CutPrefix(e.imported, module); ok && !e.test {
		if why := layer(e.from, ours); why != "" {
			broken = append(broken, fmt.Sprintf("%s: %s imports %s: %s", e.file, e.from, ours, why))
		}
	}
	if _, ok := area(e.from); !ok {
		broken = append(broken, fmt.Sprintf("%s: %s has no import rule: add it to internal/arch", e.file, e.from))
	}
	if why := fence(e); why != "" {
		broken = append(broken, fmt.Sprintf("%s: %s imports %s: %s", e.file, e.from, e.imported, why))
	}
	return broken
}

// layer says why one of our packages may not import another, or "".
func layer(from, to string) string {
	rule, ok := area(from)
	if !ok {
		return ""
	}
	if from == to || strings.HasPrefix(to, from+"/") && strings.HasPrefix(from, "internal/adapter/") {
		return ""
	}
	ownRule := strings.HasPrefix(rule.pkg, "internal/adapter/") // for a part of one adapter
	if strings.HasPrefix(from, "internal/adapter/") && product(from) == product(to) && !ownRule {
		return ""
	}
	for _, allowed := range rule.may {
		if to == allowed || strings.HasSuffix(allowed, "/*") && strings.HasPrefix(to, strings.TrimSuffix(allowed, "*")) {
			return ""
		}
	}
	may := append([]string(nil), rule.may...)
	sort.Strings(may)
	return rule.why + "; allowed: " + strings.Join(may, ", ")
}

func product(pkg string) string {
	parts := strings.SplitN(pkg, "/", 4)
	if len(parts) < 3 || parts[1] != "adapter" {
		return pkg
	}
	return parts[2]
}

func area(from string) (rule, bool) {
	best, found := rule{}, false
	for _, r := range rules {
		if (from == r.pkg || strings.HasPrefix(from, strings.TrimSuffix(r.pkg, "/")+"/")) && len(r.pkg) > len(best.pkg) {
			best, found = r, true
		}
	}
	return best, found
}

func fence(e edge) string {
	for _, f := range fences {
		if e.test || !strings.HasPrefix(e.imported, f.prefix) {
			continue
		}
		inside := false
		for _, home := range f.homes {
			inside = inside || e.from == home || strings.HasPrefix(e.from, home+"/")
		}
		if !inside {
			return fmt.Sprintf("%s belongs only in %s", f.prefix, strings.Join(f.homes, ", "))
		}
	}
	return ""
}

package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// adapters are the folders of which every function with a context is held to
// silenttest's rule.
const adapters = "internal/adapter"

// TestSilent_NamesEveryFunction: every exported function of an adapter that takes a
// context is in a table of silenttest.Calls in its package, so that a server that is
// silent cannot hold it, or is named in unasked with the reason.
func TestSilent_NamesEveryFunction(t *testing.T) {
	found := findFunctions(t, filepath.Join("../..", adapters))
	if len(found) < 100 {
		t.Fatalf("found %d functions: the test looked in the wrong place", len(found))
	}
	used := map[string]bool{}
	for _, f := range found {
		reason := ""
		for _, key := range []string{f.dir, f.dir + " " + f.name} {
			if unasked[key] != "" {
				reason, used[key] = unasked[key], true
			}
		}
		switch {
		case f.tested && reason != "" && used[f.dir+" "+f.name]:
			t.Errorf("%s %s is in a table: remove it from unasked", f.dir, f.name)
		case !f.tested && reason == "":
			t.Errorf("%s %s takes a context, but no silenttest.Calls of its package's tests names it", f.dir, f.name)
		}
	}
	for key := range unasked {
		if !used[key] {
			t.Errorf("unasked names %s, which is not found", key)
		}
	}
}

// function is one that takes a context.
type function struct {
	dir, name string // name is Func, or Type.Method
	tested    bool
}

// findFunctions returns the exported functions below a folder that take a context.
func findFunctions(t *testing.T, root string) []function {
	t.Helper()
	var found []function
	tables := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("../..", filepath.Dir(path))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		if strings.HasSuffix(path, "_test.go") {
			tables[dir] = append(tables[dir], tabled(file)...)
			return nil
		}
		for _, name := range withContext(file) {
			if f := (function{dir: dir, name: name}); !slices.Contains(found, f) { // one for each system
				found = append(found, f)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		found[i].tested = slices.Contains(tables[f.dir], f.name)
	}
	return found
}

// withContext returns the exported functions of a file whose first parameter is a context.
func withContext(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() || len(f.Type.Params.List) == 0 || !isSelector(f.Type.Params.List[0].Type, "context", "Context") {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil {
			name = receiver(f.Recv.List[0].Type) + "." + name
		}
		names = append(names, name)
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// tabled returns the keys of the literals of silenttest.Calls.
func tabled(file *ast.File) []string {
	var keys []string
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || !isSelector(lit.Type, "silenttest", "Calls") {
			return true
		}
		for _, e := range lit.Elts {
			pair, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if key, ok := pair.Key.(*ast.BasicLit); ok {
				text, _ := strconv.Unquote(key.Value)
				keys = append(keys, text)
			}
		}
		return true
	})
	return keys
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg && s.Sel.Name == name
}

// TestSilent_FindsForgottenFunction: a function that no table names is found.
func TestSilent_FindsForgottenFunction(t *testing.T) {
	parse := func(text string) *ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	got := withContext(parse("func (*Store[T]) Put(ctx context.Context) {}\nfunc Open(_ context.Context, u string) {}\nfunc (s Store) put(ctx context.Context) {}\nfunc (s Store) Close() {}"))
	if want := []string{"Store.Put", "Open"}; !slices.Equal(got, want) {
		t.Errorf("functions = %q, want %q", got, want)
	}
	got = tabled(parse(`var _ = silenttest.Calls{"Open": nil}; var _ = map[string]int{"Store.Put": 1}`))
	if want := []string{"Open"}; !slices.Equal(got, want) {
		t.Errorf("named in tables = %q, want %q", got, want)
	}
}

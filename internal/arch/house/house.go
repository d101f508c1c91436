// Package house measures the product's source: how much it is tested, which files
// of an adapter cannot be read from the bottom up, and which wording readers
// stumble over. It parses files and runs none of them.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Report is what was measured below a root.
type Report struct {
	Tests      int // functions Test, Fuzz and Example, exported suites, and t.Run calls
	Assertions int // calls of Error, Errorf, Fatal, Fatalf, Fail and FailNow on a test
	Upward     map[string][]Edge
	Refused    []Hit
}

// Measure reads the Go files of the module and its examples below root.
func Measure(root string) (Report, error) {
	var r Report
	set, patterns := token.NewFileSet(), Patterns()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && skipped(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if isTesting(name) {
			r.count(f)
		} else if isProduct(name) {
			r.Refused = append(r.Refused, wording(set, f, patterns)...)
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	r.Upward, err = Upward(root, "internal/adapter")
	return r, err
}

// skipped reports whether a folder holds no source of the product's.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || name == "bin" || name == "third_party" || name == "testdata"
}

// isTesting reports whether a file is part of the tests: _test.go files, the suites that
// adapters and stores run, and the AWS that they run against.
func isTesting(name string) bool {
	return strings.HasSuffix(name, "_test.go") || strings.Contains(name, "porttest/") || strings.Contains(name, "storetest/") || strings.Contains(name, "awstest/") || strings.HasPrefix(name, "e2e/")
}

// isProduct reports whether users can see what a file says. This package names what
// it refuses.
func isProduct(name string) bool {
	return (strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "cmd/")) && path.Dir(name) != "internal/arch/house"
}

// count adds a file's tests and assertions.
func (r *Report) count(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && isTest(fn.Name.Name) {
			r.Tests++
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch s.Sel.Name {
		case "Run":
			if id, ok := s.X.(*ast.Ident); ok && id.Name == "t" {
				r.Tests++
			}
		case "Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow":
			if onTest(s.X) {
				r.Assertions++
			}
		}
		return true
	})
}

func isTest(name string) bool {
	for _, p := range []string{"Test", "Fuzz", "Example"} {
		if strings.HasPrefix(name, p) && name != "TestMain" {
			return true
		}
	}
	return false
}

// onTest reports whether an expression is a *testing.T, by the names they go by:
// t, tb, b, f, or a field t.
func onTest(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "t" || x.Name == "tb" || x.Name == "b" || x.Name == "f"
	case *ast.SelectorExpr:
		return x.Sel.Name == "t" || x.Sel.Name == "T"
	}
	return false
}

package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestEmbedding_KeepsFieldsInJSON: a struct that embeds a type with a MarshalJSON gets
// that method, and with it loses its own fields in JSON.
func TestEmbedding_KeepsFieldsInJSON(t *testing.T) {
	marshalers := map[string]bool{} // by "package.Type"
	var structs []embedder
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "MarshalJSON" && d.Recv != nil {
					marshalers[f.Name.Name+"."+typeName(d.Recv.List[0].Type)] = true
				}
			case *ast.GenDecl:
				structs = append(structs, embedders(path, f.Name.Name, d)...)
			}
		}
		return nil
	}
	if err := filepath.WalkDir("../../internal", walk); err != nil {
		t.Fatal(err)
	}
	if !marshalers["delivery.Deployment"] || len(structs) == 0 {
		t.Fatalf("found %d marshalers and %d structs that embed: the test looked in the wrong place", len(marshalers), len(structs))
	}
	for _, s := range structs {
		for _, embedded := range s.embedded {
			if marshalers[embedded] && !marshalers[s.name] {
				t.Errorf("%s: %s embeds %s, whose MarshalJSON drops its other fields: make it a named field, or write MarshalJSON", s.path, s.name, embedded)
			}
		}
	}
}

// embedder is a struct with JSON fields that embeds types.
type embedder struct {
	path, name string
	embedded   []string // "package.Type"
}

func embedders(path, pkg string, d *ast.GenDecl) (found []embedder) {
	for _, spec := range d.Specs {
		ts, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		st, ok := ts.Type.(*ast.StructType)
		if !ok {
			continue
		}
		e := embedder{path: path, name: pkg + "." + ts.Name.Name}
		hasJSON := false
		for _, field := range st.Fields.List {
			hasJSON = hasJSON || field.Tag != nil && strings.Contains(field.Tag.Value, `json:"`)
			if len(field.Names) > 0 {
				continue
			}
			name := typeName(field.Type)
			if !strings.Contains(name, ".") {
				name = pkg + "." + name
			}
			e.embedded = append(e.embedded, name)
		}
		if hasJSON && len(e.embedded) > 0 {
			found = append(found, e)
		}
	}
	return found
}

// typeName returns the name of a type, with its package if that is another one.
func typeName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.SelectorExpr:
		return typeName(t.X) + "." + t.Sel.Name
	case *ast.Ident:
		return t.Name
	case *ast.IndexExpr:
		return typeName(t.X)
	}
	return ""
}

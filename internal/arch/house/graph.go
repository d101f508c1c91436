package house

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Edge is one file that uses names declared in another.
type Edge struct {
	From, To string   // slash-separated, relative to the root
	Names    []string // the names used, sorted
}

// Upward returns the edges that point upwards among the files of each folder
// below dir: the files are laid in the order in which the fewest edges point from
// a lower file to a higher one, and those that still do are returned, by folder.
// Files without such an edge can be read from the bottom up. The key is the path
// of the folder directly below dir; its subfolders belong to it, but each service in
// families is a folder of its own. Tests do not count, nor does what isTesting names.
func Upward(root, dir string) (map[string][]Edge, error) {
	products, err := fs.ReadDir(os.DirFS(root), dir)
	if err != nil {
		return nil, err
	}
	out := map[string][]Edge{}
	for _, p := range products {
		folder := path.Join(dir, p.Name())
		if !p.IsDir() || isTesting(folder+"/") {
			continue
		}
		if slices.Contains(families, folder) {
			services, err := Upward(root, folder)
			if err != nil {
				return nil, err
			}
			maps.Copy(out, services)
			continue
		}
		edges, err := uses(root, folder)
		if err != nil {
			return nil, err
		}
		out[folder] = upward(edges)
	}
	return out, nil
}

// families are folders whose subfolders are products: services of one provider, adapters
// to one service.
var families = []string{"internal/adapter/aws", "internal/adapter/aws/sagemaker"}

// source is one parsed package.
type source struct {
	dir   string
	files map[string]*ast.File
	set   *token.FileSet
	info  *types.Info
}

// uses returns what the files below a folder use of each other.
func uses(root, folder string) ([]Edge, error) {
	packages, err := load(root, folder)
	if err != nil {
		return nil, err
	}
	declared := map[string]map[string]string{} // package's folder -> name -> file
	for _, p := range packages {
		declared[p.dir] = p.exported()
	}
	names := map[[2]string]map[string]bool{}
	note := func(from, to, name string) {
		if from == to || to == "" {
			return
		}
		k := [2]string{from, to}
		if names[k] == nil {
			names[k] = map[string]bool{}
		}
		names[k][name] = true
	}
	for _, p := range packages {
		for id, o := range p.info.Uses {
			if !o.Pos().IsValid() || local(o) {
				continue
			}
			note(p.set.Position(id.Pos()).Filename, p.set.Position(o.Pos()).Filename, id.Name)
		}
		for name, f := range p.files {
			for _, s := range siblings(f, folder, declared) {
				note(name, s.file, s.name)
			}
		}
	}
	return sorted(names), nil
}

func sorted(names map[[2]string]map[string]bool) []Edge {
	var out []Edge
	for k, set := range names {
		e := Edge{From: k[0], To: k[1]}
		for n := range set {
			e.Names = append(e.Names, n)
		}
		sort.Strings(e.Names)
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Edge) int { return strings.Compare(a.From+" "+a.To, b.From+" "+b.To) })
	return out
}

// local reports whether o is declared inside of a function, or is a field, which
// follows the type it belongs to. A method counts where it is declared.
func local(o types.Object) bool {
	if o.Parent() == nil { // fields and methods
		_, method := o.(*types.Func)
		return !method
	}
	return o.Pkg() != nil && o.Parent() != o.Pkg().Scope()
}

type sibling struct{ file, name string }

// siblings are the names of the folder's other packages that a file uses.
func siblings(f *ast.File, folder string, declared map[string]map[string]string) []sibling {
	imported := map[string]string{} // name in the file -> folder
	for _, im := range f.Imports {
		p, _ := strconv.Unquote(im.Path.Value)
		_, below, ok := strings.Cut(p, "/"+folder)
		if !ok {
			continue
		}
		name := path.Base(p)
		if im.Name != nil {
			name = im.Name.Name
		}
		imported[name] = folder + below
	}
	var out []sibling
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := s.X.(*ast.Ident); ok {
			if dir := imported[id.Name]; dir != "" {
				out = append(out, sibling{declared[dir][s.Sel.Name], s.Sel.Name})
			}
		}
		return true
	})
	return out
}

// exported maps the package's names to the files that declare them.
func (p source) exported() map[string]string {
	out := map[string]string{}
	for id, o := range p.info.Defs {
		if o != nil && o.Pkg() != nil && o.Parent() == o.Pkg().Scope() {
			out[id.Name] = p.set.Position(id.Pos()).Filename
		}
	}
	return out
}

// load parses and resolves each package below a folder on its own: what it
// imports stays unknown, which is enough to see what its files use of each other.
func load(root, folder string) ([]source, error) {
	byDir := map[string]source{}
	linux := build.Default
	linux.GOOS = "linux"
	err := fs.WalkDir(os.DirFS(root), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") {
			return err
		}
		if match, err := linux.MatchFile(filepath.Join(root, path.Dir(name)), path.Base(name)); err != nil || !match {
			return err // files of other systems declare the same names again
		}
		dir := path.Dir(name)
		p, ok := byDir[dir]
		if !ok {
			p = source{dir: dir, files: map[string]*ast.File{}, set: token.NewFileSet()}
			byDir[dir] = p
		}
		text, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(p.set, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p.files[name] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []source
	for dir, p := range byDir {
		p.info = &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		var files []*ast.File
		for _, name := range slices.Sorted(maps.Keys(p.files)) {
			files = append(files, p.files[name])
		}
		c := types.Config{Importer: unknown{}, Error: func(error) {}, FakeImportC: true}
		_, _ = c.Check(dir, p.set, files, p.info) // unknown imports are errors, and do not matter
		out = append(out, p)
	}
	return out, nil
}

// unknown is an importer that knows no package.
type unknown struct{}

func (unknown) Import(p string) (*types.Package, error) {
	made := types.NewPackage(p, path.Base(p))
	made.MarkComplete()
	return made, nil
}

package opinion_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// adapters is the folder of all code that calls AWS.
const adapters = "../.."

// apart are operations that this test does not see called, and why.
var apart = map[string]string{
	"s3.UploadPart": "is of " + inParts, "s3.CompleteMultipartUpload": "is of " + inParts,
	"s3.DeleteObject": "is of the shared state's bucket, whose driver is tested with an emulator of S3 of its own: `make drivers`",
}

// TestOperations_AllAreCalled: the steps call every operation that the code of the
// adapters names.
func TestOperations_AllAreCalled(t *testing.T) {
	w := newFake(t, newIssuer(t))
	do(t, w, inParts)
	called := operations(w.fake)
	used := usedOperations(t)
	for _, name := range used {
		if !called[name] && apart[name] == "" {
			t.Errorf("no step calls %s", name)
		}
		if called[name] && apart[name] != "" {
			t.Errorf("%s is called: remove it from apart", name)
		}
		delete(called, name)
	}
	for name := range called {
		t.Errorf("a step calls %s, which the adapters do not name", name)
	}
	if len(used) < 40 {
		t.Errorf("only %d operations were found: the test looked in the wrong place", len(used))
	}
}

// ownServices are the services of packages that call them without the SDK's clients.
var ownServices = map[string]string{"cloudwatch": "cloudwatch", "cloudwatchlogs": "logs", "eventbridge": "events"}

// hosts are the services of the hosts' names that are not theirs.
var hosts = map[string]string{"monitoring": "cloudwatch"}

// otherCommands are the packages of commands that release nothing: `slipway aws`, whose
// kinds have a suite that kills every request, and `slipway doctor`.
var otherCommands = []string{"resources", "doctor"}

// usedOperations returns the operations of which the name is a method that is called, or a
// text, in the adapters' code, below a service that the file or its package is about.
func usedOperations(t *testing.T) (all []string) {
	t.Helper()
	services, err := model.Load()
	if err != nil {
		t.Fatal(err)
	}
	// objects deletes, which the models of the tests do not have.
	services["s3"].Operations["DeleteObject"] = model.Operation{Name: "DeleteObject"}
	err = filepath.WalkDir(adapters, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "awstest" || slices.Contains(otherCommands, d.Name())) {
			return orSkip(err)
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		about := servicesOf(file, filepath.Base(filepath.Dir(path)))
		for _, name := range namesIn(file) {
			for _, service := range about {
				if _, ok := services[service].Operations[name]; ok {
					all = append(all, service+"."+name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func orSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

func servicesOf(file *ast.File, dir string) (all []string) {
	if own := ownServices[dir]; own != "" {
		return []string{own}
	}
	for _, im := range file.Imports {
		path, _ := strconv.Unquote(im.Path.Value)
		switch name, ok := strings.CutPrefix(path, "github.com/aws/aws-sdk-go-v2/service/"); {
		case ok && !strings.Contains(name, "/"):
			all = append(all, name)
		}
	}
	return append(all, apisOf(file)...)
}

// apisOf returns the services of a file's literals of session.API.
func apisOf(file *ast.File) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || len(literal.Elts) == 0 {
			return true
		}
		kind, ok := literal.Type.(*ast.SelectorExpr)
		if !ok || kind.Sel.Name != "API" {
			return true
		}
		if pair, ok := literal.Elts[0].(*ast.KeyValueExpr); ok {
			if text, ok := pair.Value.(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(text.Value)
				all = append(all, cmp.Or(hosts[name], name))
			}
		}
		return true
	})
	return all
}

// providers call STS for the program.
var providers = map[string]string{"NewAssumeRoleProvider": "AssumeRole", "NewWebIdentityRoleProvider": "AssumeRoleWithWebIdentity"}

// namesIn returns the methods and functions that are called, and the texts.
func namesIn(file *ast.File) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				all = append(all, text)
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok {
				name := strings.TrimSuffix(strings.TrimPrefix(s.Sel.Name, "New"), "Paginator")
				if provided := providers[s.Sel.Name]; provided != "" {
					name = provided
				}
				all = append(all, strings.TrimPrefix(name, "Presign"))
			}
		}
		return true
	})
	return all
}

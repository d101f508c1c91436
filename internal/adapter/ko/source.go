package ko

import (
	"errors"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// positionPattern matches a compiler message with a source position.
var positionPattern = regexp.MustCompile(`^\S+\.go:\d+(:\d+)?: `)

// mainPackage is a main package: the folder of its module, and its path in the
// module.
type mainPackage struct{ module, pkg string }

// findMainPackage checks the package before the toolchain runs, so that
// configuration errors are reported in terms of slipway.yaml.
func findMainPackage(o port.BuildRequest, arch string) (mainPackage, error) {
	rel := path.Clean(filepath.ToSlash(o.Go))
	if o.Go == "" || !filepath.IsLocal(filepath.FromSlash(rel)) || strings.HasPrefix(rel, "-") || strings.ContainsAny(rel, "\x00*@=,{}\n") || strings.Contains(rel, "...") {
		return mainPackage{}, fault.New(fault.Invalid, "image.build.go: invalid package %q", o.Go).
			Hint("set the path of the main package relative to the repository root, such as ./cmd/api")
	}
	dir := filepath.Join(o.Dir, filepath.FromSlash(rel))
	pkg, err := buildContext(arch, o.Env).ImportDir(dir, 0)
	var none *build.NoGoError
	switch {
	case errors.As(err, &none), err != nil && isMissing(dir):
		return mainPackage{}, fault.New(fault.Invalid, "image.build.go: no Go package found in %s", o.Go).
			Hint("set the path of the main package relative to the repository root, such as ./cmd/api; is it committed?")
	case err == nil && pkg.Name != "main":
		return mainPackage{}, fault.New(fault.Invalid, "image.build.go: %s is package %s, not main", o.Go, pkg.Name).
			Hint("set the folder that contains `package main`")
	}
	// The compiler reports all other errors better.
	for up := rel; ; up = path.Dir(up) {
		module := filepath.Join(o.Dir, filepath.FromSlash(up))
		if info, err := os.Stat(filepath.Join(module, "go.mod")); err == nil && info.Mode().IsRegular() {
			return mainPackage{module: module, pkg: "./" + strings.TrimPrefix(strings.TrimPrefix(rel, up), "/")}, nil
		}
		if up == "." {
			return mainPackage{}, fault.New(fault.Invalid, "image.build.go: %s is not in a Go module", o.Go).
				Hint("run `go mod init` and commit go.mod")
		}
	}
}

func buildContext(arch string, env map[string]string) *build.Context {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled, c.Dir = "linux", arch, env["CGO_ENABLED"] == "1", ""
	for flag := range strings.FieldsSeq(env["GOFLAGS"]) {
		if tags, ok := strings.CutPrefix(strings.TrimLeft(flag, "-"), "tags="); ok {
			c.BuildTags = strings.Split(tags, ",")
		}
	}
	return &c
}

func isMissing(dir string) bool {
	info, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir()
}

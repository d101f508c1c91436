package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/filetrust"
)

// location finds files of the repository in the output of tests.
type location struct {
	root      string // the checkout
	dir       string // where the command ran
	module    string // path of the Go module
	moduleDir string // its folder
}

var (
	fileColonLine = regexp.MustCompile(`([A-Za-z0-9_@+./\\-]+\.[A-Za-z0-9]+):([0-9]{1,7})\b`)
	tracebackLine = regexp.MustCompile(`File "([^"\n]+)", line ([0-9]{1,7})`)
)

// maxSearchedBytes is how much of a text is searched for a location.
const maxSearchedBytes = 64 << 10

// find returns "file:line" relative to the checkout for the first location in
// text that exists there, or "". Relative names are looked up in dirs, then where
// the command ran, then in the checkout.
func (p location) find(text string, dirs ...string) string {
	text = truncate(text, maxSearchedBytes)
	dirs = append(dirs, p.dir, p.root)
	for _, form := range []*regexp.Regexp{tracebackLine, fileColonLine} {
		for _, m := range form.FindAllStringSubmatch(text, 200) {
			if rel := p.relative(m[1], dirs); rel != "" {
				return rel + ":" + m[2]
			}
		}
	}
	return ""
}

// relative returns the file's path in the checkout, or "" if it is not there.
func (p location) relative(file string, dirs []string) string {
	if filepath.IsAbs(file) {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		full := filepath.Join(dir, file)
		if !filepath.IsAbs(full) || !filetrust.Within(p.root, full) {
			continue
		}
		info, err := os.Stat(full)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		rel, err := filepath.Rel(p.root, full)
		if err == nil {
			return filepath.ToSlash(rel)
		}
	}
	return ""
}

// packageDir returns the folder of a Go package, or "" if it is not in the
// module.
func (p location) packageDir(pkg string) string {
	if p.module == "" {
		return ""
	}
	if pkg == p.module {
		return p.moduleDir
	}
	if rel, ok := strings.CutPrefix(pkg, p.module+"/"); ok {
		return filepath.Join(p.moduleDir, filepath.FromSlash(rel))
	}
	return ""
}

var moduleDirective = regexp.MustCompile(`(?m)^module[ \t]+"?([^\s"]+)"?`)

// moduleOf reads the nearest go.mod from where the command runs up to the
// checkout's root.
func moduleOf(p location) (module, dir string) {
	for dir = p.dir; filetrust.Within(p.root, dir); dir = filepath.Dir(dir) {
		raw, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			continue
		}
		if m := moduleDirective.FindSubmatch(raw); m != nil {
			return string(m[1]), dir
		}
	}
	return "", ""
}

// Package notice writes the file NOTICE: the licences of everything that is linked into
// the programs, which most of them want to see shipped with a binary.
package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// File is the name of the file, at the top of the repository.
const File = "NOTICE"

// programs are what is shipped.
var programs = []string{"./cmd/slipway", "./cmd/slipway-model"}

// Component is a module in the programs, and what its authors ask to be shipped.
type Component struct {
	Name    string // path and version of the module
	Notices []Text
}

// Text is a file with a licence, a copyright or a notice.
type Text struct {
	License License // what the text is, as far as it is known
	Path    string  // in the module
	Content string
}

// noticeFile matches the names of files with licences and notices.
var noticeFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|copyright|notice|unlicense|patents)([-._].*)?$`)

// List returns the components of the programs for Linux, by name: the modules of all
// packages, with the files in the folders of those packages and above them, up to the
// module's own. dir is the repository.
func List(ctx context.Context, dir string) ([]Component, error) {
	packages, err := listPackages(ctx, dir)
	if err != nil {
		return nil, err
	}
	seen, byName := map[string]bool{}, map[string]*Component{}
	for _, p := range packages {
		name, root := p.component()
		if name == "" {
			continue
		}
		c := byName[name]
		if c == nil {
			c = &Component{Name: name}
			byName[name] = c
		}
		for folder := p.Dir; ; folder = filepath.Dir(folder) {
			if !seen[folder] {
				seen[folder] = true
				if err := c.read(root, folder); err != nil {
					return nil, err
				}
			}
			if folder == root || len(folder) <= len(root) {
				break
			}
		}
	}
	var all []Component
	for _, c := range byName {
		slices.SortFunc(c.Notices, func(a, b Text) int { return strings.Compare(a.Path, b.Path) })
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Component) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// read adds the files of a folder.
func (c *Component) read(root, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !noticeFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		text := normalize(string(raw))
		c.Notices = append(c.Notices, Text{License: Classify(text), Path: filepath.ToSlash(path), Content: text})
	}
	return nil
}

// normalize drops what differs without a difference: line ends and empty lines around.
func normalize(text string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// goPackage is what `go list` prints.
type goPackage struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Version string }
	}
}

// component returns the name of the module and its folder; what is in the repository has
// none, stand-ins for modules too.
func (p goPackage) component() (name, root string) {
	switch {
	case p.Module != nil && p.Module.Replace != nil && p.Module.Replace.Version == "":
	case p.Module != nil && !p.Module.Main:
		return strings.TrimSpace(p.Module.Path + " " + p.Module.Version), p.Module.Dir
	case p.Standard:
		for root = p.Dir; filepath.Base(root) != "src" && filepath.Dir(root) != root; {
			root = filepath.Dir(root)
		}
		return "the Go standard library", filepath.Dir(root)
	}
	return "", ""
}

func listPackages(ctx context.Context, dir string) ([]goPackage, error) {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"list", "-deps", "-json=Dir,Standard,Module"}, programs)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, problems.String())
	}
	var all []goPackage
	for d := json.NewDecoder(&out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		all = append(all, p)
	}
}

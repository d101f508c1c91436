package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/cloudformation"
	"github.com/slipway-cd/slipway/internal/account/design"
	"github.com/slipway-cd/slipway/internal/account/export"
	"github.com/slipway-cd/slipway/internal/account/terraform"
	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// AccountTool is a tool that what a project needs in its account is exported to.
type AccountTool string

// The tools. Each is the name of the default folder, too.
const (
	Terraform      AccountTool = "terraform"
	CloudFormation AccountTool = "cloudformation"
)

// ownHeader begins every file that is exported: others are never overwritten.
const ownHeader = "# Written by `slipway export "

// maxExported bounds a file that is compared, in bytes.
const maxExported = 8 << 20

// AccountExport is what an export wrote, or what a check of it found.
type AccountExport struct {
	Tool  AccountTool `json:"tool"`
	Dir   string      `json:"dir"`
	Files []string    `json:"files"` // below Dir
	Stale []StaleFile `json:"stale"` // of a check: what an export would change
}

// StaleFile is an exported file that is not what would be written.
type StaleFile struct {
	File string `json:"file"` // below Dir
	Why  string `json:"why"`  // a clause
}

// ExportAccount writes what the project needs in its accounts as files of the tool into
// the folder, its own name by default. Files of the folder that it did not write are
// refused with fault.Conflict before anything is written.
func (a *App) ExportAccount(ctx context.Context, tool AccountTool, dir string) (AccountExport, error) {
	out, files, err := a.renderAccount(ctx, tool, dir)
	if err != nil {
		return out, err
	}
	for _, f := range files {
		if _, err := readExported(filepath.Join(out.Dir, f.Name)); err != nil {
			return out, err
		}
	}
	for _, f := range files {
		if err := writeExported(filepath.Join(out.Dir, f.Name), f.Text); err != nil {
			return out, err
		}
	}
	return out, nil
}

// CheckAccountExport compares the folder's files with those that would be written.
func (a *App) CheckAccountExport(ctx context.Context, tool AccountTool, dir string) (AccountExport, error) {
	out, files, err := a.renderAccount(ctx, tool, dir)
	if err != nil {
		return out, err
	}
	for _, f := range files {
		found, err := readExported(filepath.Join(out.Dir, f.Name))
		switch {
		case err != nil:
			return out, err
		case found == nil:
			out.Stale = append(out.Stale, StaleFile{f.Name, "is missing"})
		case string(found) != f.Text:
			out.Stale = append(out.Stale, StaleFile{f.Name, fmt.Sprintf("differs at line %d", differingLine(string(found), f.Text))})
		}
	}
	return out, nil
}

// renderAccount returns the files by their paths below the folder: with several accounts
// or regions, each has a folder of its own.
func (a *App) renderAccount(ctx context.Context, tool AccountTool, dir string) (AccountExport, []export.File, error) {
	project, repository, err := a.projectAlone(ctx)
	if err != nil {
		return AccountExport{}, nil, err
	}
	if dir == "" {
		dir = filepath.Join(repository, string(tool))
	}
	out := AccountExport{Tool: tool, Dir: a.absolute(dir), Files: []string{}, Stale: []StaleFile{}}
	places := design.Places(&project)
	if len(places) == 0 {
		places = append(places, extension.AWS{}) // the error says what is missing
	}
	var all []export.File
	for _, at := range places {
		set, err := design.New(&project, design.Options{Kinds: a.Kinds, Account: at.Account, Region: at.Region})
		if err != nil {
			return out, nil, err
		}
		files, err := render(tool, set)
		if err != nil {
			return out, nil, err
		}
		for _, f := range files {
			if len(places) > 1 {
				f.Name = filepath.Join(at.Account+"-"+at.Region, f.Name)
			}
			all, out.Files = append(all, f), append(out.Files, f.Name)
		}
	}
	return out, all, nil
}

// projectAlone reads slipway.yaml as the policies of the machine allow it; nothing else
// is opened. The folder is that of the file.
func (a *App) projectAlone(ctx context.Context) (p config.Project, repository string, err error) {
	place, err := a.findWorkspace(ctx)
	if err != nil {
		return p, "", err
	}
	rules, _, err := a.localPolicy(place.Repository)
	if err != nil {
		return p, "", err
	}
	p, err = a.loadProject(place.Repository, rules)
	return p, place.Repository, err
}

func render(tool AccountTool, set account.Set) ([]export.File, error) {
	switch tool {
	case Terraform:
		return terraform.Export(set)
	case CloudFormation:
		return cloudformation.Export(set)
	}
	return nil, fault.New(fault.Invalid, "unknown tool %q", tool).Hint("known: %s, %s", Terraform, CloudFormation)
}

// readExported returns a file that an export wrote, nil if there is none.
func readExported(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && info.Size() > maxExported:
		return nil, fault.New(fault.Conflict, "%s is larger than %d MiB, and was not written by Slipway", path, maxExported>>20).Hint("name another folder with --out")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.FileKind(err), "read %s", path).Cause(err)
	}
	if !bytes.HasPrefix(text, []byte(ownHeader)) {
		return nil, fault.New(fault.Conflict, "%s was not written by Slipway", path).Hint("name another folder with --out, or move the file")
	}
	return text, nil
}

func writeExported(path, text string) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = atomicfile.Write(path, []byte(text), 0o644)
	}
	if err != nil {
		return fault.New(fault.FileKind(err), "write %s", path).Cause(err)
	}
	return nil
}

// differingLine is the first line, from 1, in which two texts differ.
func differingLine(a, b string) int {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i + 1
		}
	}
	return min(len(x), len(y)) + 1
}

package app

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// symlink is the mode of a symlink in a commit.
const symlink = "120000"

// fileCheck looks for files in a commit.
type fileCheck struct {
	repository string
	files      []port.File
	found      *problems
}

func (c fileCheck) hasFile(name string) bool {
	return slices.ContainsFunc(c.files, func(f port.File) bool { return f.Path == name })
}

func (c fileCheck) hasFolder(name string) bool {
	return name == "." || slices.ContainsFunc(c.files, func(f port.File) bool { return strings.HasPrefix(f.Path, name+"/") })
}

// file adds a problem if the commit lacks the file. One outside the folder of
// slipway.yaml is left to the step.
func (c fileCheck) file(key, name string) {
	if name = path.Clean(name); !c.isOutside(name) && !c.hasFile(name) {
		c.missing(key, "file", name)
	}
}

func (c fileCheck) folder(key, name string) {
	if name = path.Clean(name); !c.isOutside(name) && !c.hasFolder(name) {
		c.missing(key, "folder", name)
	}
}

// either accepts a file or a folder.
func (c fileCheck) either(key, name string) {
	if name = path.Clean(name); !c.isOutside(name) && !c.hasFile(name) && !c.hasFolder(name) {
		c.missing(key, "path", name)
	}
}

// isOutside reports whether a path leads out of the commit, or may: behind a symlink.
func (c fileCheck) isOutside(name string) bool {
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.Contains(name, "://") {
		return true
	}
	return slices.ContainsFunc(c.files, func(f port.File) bool { return f.Mode == symlink && strings.HasPrefix(name+"/", f.Path+"/") })
}

func (c fileCheck) missing(key, kind, name string) {
	c.found.add(fault.New(fault.Invalid, "%s: %s %s not found in the commit", key, kind, name).Location(config.FileName).Hint("%s", c.advise(name)))
}

// advise returns the hint for a missing file.
func (c fileCheck) advise(name string) string {
	if _, err := os.Lstat(filepath.Join(c.repository, filepath.FromSlash(name))); err == nil {
		return "it is in the folder, but not committed: is it matched by .gitignore?"
	}
	var names, alike, beside []string
	for _, f := range c.files {
		names = append(names, f.Path)
		switch {
		case strings.EqualFold(path.Base(f.Path), path.Base(name)):
			alike = append(alike, f.Path)
		case path.Ext(f.Path) == path.Ext(name) && path.Ext(name) != "":
			beside = append(beside, f.Path)
		}
	}
	if near, ok := fault.Nearest(name, append(alike, names...)); ok && len(alike) == 0 {
		return "did you mean " + near + "? New files must be committed"
	}
	switch {
	case len(alike) > 0:
		return "did you mean " + fault.Enumerate(alike) + "? New files must be committed"
	case len(beside) > 0:
		return "the commit has " + fault.Enumerate(beside) + "; new files must be committed"
	}
	return "new files must be committed"
}

// interpreters run the file that is their first argument.
var interpreters = []string{"python", "python3", "sh", "bash", "Rscript", "node", "julia", "perl"}

// command checks the script that a command begins with. What comes later in it may
// have been made by what comes before.
func (c fileCheck) command(key, dir, run string) {
	if dir != "" {
		c.folder(key+": dir", dir)
	}
	if script := scriptOf(run); script != "" {
		c.file(key, path.Join(dir, script))
	}
}

// scriptOf returns the script that a command begins with, or "" if it begins with a
// program or in a way that only a shell understands.
func scriptOf(run string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(run), "\n")
	words := strings.Fields(line)
	for len(words) > 0 && isAssignment(words[0]) {
		words = words[1:]
	}
	if len(words) == 0 || !isPlain(words[0]) {
		return ""
	}
	program, arguments := words[0], words[1:]
	if !slices.Contains(interpreters, strings.TrimRight(program, ".0123456789")) && !slices.Contains(interpreters, program) {
		if strings.Contains(program, "/") && !path.IsAbs(program) {
			return program
		}
		return ""
	}
	for _, word := range arguments {
		switch {
		case word == "-m" || word == "-c" || word == "-e" || word == "-" || !isPlain(word):
			return "" // no file, or not known
		case strings.HasPrefix(word, "-"):
			continue
		}
		return word
	}
	return ""
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && !strings.ContainsAny(name, "/.-$\"'") && isPlain(word)
}

// isPlain reports whether a shell takes the word as it is.
func isPlain(word string) bool { return !strings.ContainsAny(word, "$`\"'(){}<>|&;*?[]~\\#!") }

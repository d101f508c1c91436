package plan

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// input is what a step's result depends on besides its parameters.
type input struct {
	digest  delivery.Digest
	matches func(path string) bool
}

// commandInputs are the inputs of a step that runs a command, with the files that
// define its Python environment. The folder that it runs in must be in the commit. key
// names the command's section in the file.
func (pl *planner) commandInputs(key string, globs []string, withData bool, python *config.Python, dir string) (input, error) {
	in, err := pl.inputs(key+".inputs", globs, withData)
	if err == nil {
		in, err = pl.addPythonInputs(key+".python", python, in)
	}
	if err == nil {
		err = pl.checkDir(key+".dir", dir)
	}
	return in, err
}

// inputs digests the files that a step depends on: those that match its globs,
// or all that source.ignore leaves. slipway.yaml is not among the latter: what a
// step reads of it is part of the step. key names the globs in the file.
func (pl *planner) inputs(key string, globs []string, withData bool) (input, error) {
	in := input{matches: func(path string) bool { return !pl.isIgnored(path) && path != config.FileName }}
	if len(globs) > 0 {
		in.matches = func(path string) bool { return config.MatchAnyGlob(globs, path) }
	}
	h := sha256.New()
	used := map[string]bool{}
	for _, f := range pl.facts.Files {
		if !in.matches(f.Path) {
			continue
		}
		for _, g := range globs {
			used[g] = used[g] || config.MatchGlob(g, f.Path)
		}
		writeParts(h, "file", f.Mode, f.Blob, f.Path)
	}
	for _, g := range globs {
		if !used[g] {
			return in, fault.New(fault.Invalid, "%s: %q matches no file in the commit", key, g).
				Location(config.FileName).Hint("%s", pl.globHint(g))
		}
	}
	if withData {
		for _, d := range pl.facts.Data {
			writeParts(h, "data", string(d.Digest))
		}
	}
	in.digest = delivery.DigestFromHash(h)
	return in, nil
}

// checkAlso refuses globs of files beside the service's folder that match none.
func (pl *planner) checkAlso() error {
	for i, g := range pl.project.Source.Also {
		if !slices.ContainsFunc(pl.facts.Files, func(f port.File) bool { return config.MatchGlob(g, f.Path) }) {
			return fault.New(fault.Invalid, "source.also[%d]: %q matches no file in the commit", i, g).
				Location(config.FileName).Hint("globs are relative to the folder of %s; new files must be committed", config.FileName)
		}
	}
	return nil
}

// checkDir refuses a folder to run in that the commit does not have.
func (pl *planner) checkDir(key, dir string) error {
	dir = path.Clean(dir)
	if dir == "." {
		return nil
	}
	dirs := map[string]bool{}
	for _, f := range pl.facts.Files {
		for parent := path.Dir(f.Path); parent != "." && !dirs[parent]; parent = path.Dir(parent) {
			dirs[parent] = true
		}
	}
	if dirs[dir] {
		return nil
	}
	return fault.New(fault.Invalid, "%s: folder %s not found in the commit", key, dir).
		Location(config.FileName).Hint("%s; new files must be committed", fault.DidYouMean(dir, slices.Sorted(maps.Keys(dirs))))
}

// isIgnored reports whether a path can't change what is delivered. slipway.yaml
// itself always can.
func (pl *planner) isIgnored(path string) bool {
	return path != config.FileName && config.MatchAnyGlob(pl.project.Source.Ignore, path)
}

// globHint suggests what a glob that matches nothing may have meant.
func (pl *planner) globHint(glob string) string {
	seen := map[string]bool{}
	for _, f := range pl.facts.Files {
		top, _, deeper := strings.Cut(f.Path, "/")
		if deeper {
			top += "/**"
		}
		seen[top] = true
	}
	var known []string
	for k := range seen {
		known = append(known, k)
	}
	hint := fault.DidYouMean(glob, known)
	if hint == "" {
		return "the commit has no files"
	}
	return hint + "; new files must be committed"
}

// data lists the absolute paths, and the one digest over their contents if it
// is known.
func (pl *planner) data() ([]string, delivery.Digest) {
	var paths []string
	for _, d := range pl.facts.Data {
		paths = append(paths, d.Path)
	}
	key := pl.facts.DataDigest
	if key == "" && len(paths) == 1 {
		key = pl.facts.Data[0].Digest
	}
	return paths, key
}

// writeParts writes texts so that no two lists of texts look alike.
func writeParts(h io.Writer, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s,", len(t), t)
	}
	fmt.Fprint(h, "\n")
}

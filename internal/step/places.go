package step

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// The beginnings of portable paths. They are stored, so they are never renamed.
const (
	homePrefix       = "slipway-home:/"
	repositoryPrefix = "slipway-repository:/"
)

// Places are the folders of a machine that parameters and outputs name. Each machine has
// them somewhere else, so what several machines share has portable paths in place of
// them, and keys of cached results are computed with those. The zero value changes
// nothing.
type Places struct {
	Home       string // absolute path of the state folder
	Repository string // absolute path of the folder with slipway.yaml
}

// File is a file or folder that an output names, and that other machines can fetch.
type File struct {
	Path string `json:"path"` // portable
	port.Blob
}

// Portable replaces the paths of this machine in a JSON document by portable ones. Only a
// string that is a path counts, not one that contains it.
func (p Places) Portable(document json.RawMessage) json.RawMessage {
	if p.Home == "" {
		return document
	}
	return mapStrings(document, p.PortablePath)
}

// PortablePath is Portable for one path.
func (p Places) PortablePath(path string) string {
	if rel, ok := below(p.Home, path); ok {
		return homePrefix + rel
	}
	if rel, ok := below(p.Repository, path); ok {
		return repositoryPrefix + rel
	}
	return path
}

// below returns the path relative to the folder, with slashes; ok is false if it is not
// in it.
func below(dir, path string) (rel string, ok bool) {
	if dir == "" || path != dir && !strings.HasPrefix(path, dir+string(filepath.Separator)) || filepath.Clean(path) != path {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	return filepath.ToSlash(rel), err == nil
}

// Local replaces the portable paths in a JSON document by those of this machine.
func (p Places) Local(document json.RawMessage) json.RawMessage {
	if p.Home == "" {
		return document
	}
	return mapStrings(document, p.LocalPath)
}

// LocalPath is Local for one path. One that would lead out of its folder stays as it is.
func (p Places) LocalPath(path string) string {
	for prefix, dir := range map[string]string{homePrefix: p.Home, repositoryPrefix: p.Repository} {
		if rel, ok := strings.CutPrefix(path, prefix); ok && dir != "" && filepath.IsLocal(filepath.FromSlash(rel)) {
			return filepath.Join(dir, filepath.FromSlash(rel))
		}
	}
	return path
}

// LocalRequest is the request with the paths of this machine.
func (p Places) LocalRequest(r Request) Request {
	if p.Home == "" {
		return r
	}
	r.Spec.Params = p.Local(r.Spec.Params)
	given := make(map[string]json.RawMessage, len(r.Inputs))
	for name, output := range r.Inputs {
		given[name] = p.Local(output)
	}
	r.Inputs = given
	return r
}

// PortableSpecs are the steps of a plan with portable paths.
func (p Places) PortableSpecs(specs []Spec) []Spec {
	if p.Home == "" {
		return specs
	}
	specs = slices.Clone(specs)
	for i := range specs {
		specs[i].Params = p.Portable(specs[i].Params)
	}
	return specs
}

// PathsIn returns the strings of a JSON document that are paths in one of the folders,
// without those inside another one of them.
func PathsIn(document json.RawMessage, folders ...string) []string {
	var found []string
	mapStrings(document, func(text string) string {
		for _, dir := range folders {
			if rel, ok := below(dir, text); ok && rel != "." {
				found = append(found, text)
			}
		}
		return text
	})
	slices.Sort(found)
	var outermost []string
	for _, path := range slices.Compact(found) {
		inside := slices.ContainsFunc(outermost, func(dir string) bool { _, ok := below(dir, path); return ok })
		if !inside {
			outermost = append(outermost, path)
		}
	}
	return outermost
}

// mapStrings replaces the strings of a JSON document. All else stays byte for byte.
func mapStrings(document json.RawMessage, replace func(string) string) json.RawMessage {
	var out []byte
	done := 0
	for at := 0; at < len(document); at++ {
		if document[at] != '"' {
			continue
		}
		end := endOfString(document, at)
		var text string
		if end < 0 || json.Unmarshal(document[at:end], &text) != nil {
			return document // not JSON: whoever reads it reports it
		}
		if other := replace(text); other != text {
			quoted, err := json.Marshal(other)
			if err != nil {
				return document
			}
			out = append(append(out, document[done:at]...), quoted...)
			done = end
		}
		at = end - 1
	}
	if done == 0 {
		return document
	}
	return append(out, document[done:]...)
}

// endOfString returns the index after the string that begins at start, or -1.
func endOfString(document []byte, start int) int {
	for at := start + 1; at < len(document); at++ {
		next := bytes.IndexAny(document[at:], `"\`)
		if next < 0 {
			return -1
		}
		if at += next; document[at] == '"' {
			return at + 1
		}
		at++ // what is escaped
	}
	return -1
}

// HasPath reports whether a string of the JSON document is the path, or one inside it.
func HasPath(document json.RawMessage, path string) (found bool) {
	mapStrings(document, func(text string) string {
		found = found || text == path || strings.HasPrefix(text, path+"/")
		return text
	})
	return found
}
